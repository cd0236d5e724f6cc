"""How the doors are joined: the desk through which every warning comes, the watched folder, and the web.

Decides nothing itself: the desk does, and the web only shows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from warnd.channel import Channel
from warnd.daemon.derived import missing_elements, node_of, push_of, remarks, severities
from warnd.daemon.engine import Engine
from warnd.daemon.ground import Ground
from warnd.intake.desk import Desk
from warnd.intake.folder import WatchedFolder
from warnd.intake.forecast import Forecaster
from warnd.intake.reading import Policy, Reader
from warnd.model.cap import LevelRules
from warnd.web.answering import Links
from warnd.web.app import create_app


def desk(ground: Ground) -> Desk:
    """Return the desk, with the rules that the settings and files give it."""
    settings, files = ground.settings, ground.files
    names = settings.intake.sender_names
    policy = Policy(
        plans=files.plans,
        levels=LevelRules(names=settings.intake.level_names, severities=severities(settings)),
        jurisdiction=ground.jurisdiction,
        future_tolerance_s=settings.intake.future_tolerance_s,
        elements=partial(missing_elements, files.templates, names),
        remarks=partial(remarks, files.studio),
        drills=settings.mqtt is not None and settings.mqtt.drill is not None,
    )
    return Desk(
        ground.ledger,
        ground.clock,
        reader=Reader(ground.ledger, ground.clock, policy=policy),
        forecaster=Forecaster(
            ground.ledger,
            ground.clock,
            templates=files.templates,
            languages=settings.node.languages,
            sender_names=names,
            recorded=files.studio,
        ),
        authority=files.authority,
        chance=ground.chance,
        writer=ground.writer,
        bell=ground.bell,
    )


def folder(ground: Ground, taking: Desk) -> WatchedFolder | None:
    """Return the watched folder; None where the settings name none."""
    watched = ground.settings.intake.watch_dir
    return WatchedFolder(watched, taking, ground.clock) if watched is not None else None


def web(
    ground: Ground,
    channels: Mapping[str, Channel],
    *,
    taking: Desk,
    engine: Engine,
    registry: CollectorRegistry,
    problems: Callable[[], Sequence[str]],
    degraded: Callable[[], Sequence[str]],
) -> FastAPI:
    """Return the API, the public site and the channels' callback endpoints."""
    settings = ground.settings
    return create_app(
        ledger=ground.ledger,
        desk=taking,
        clock=ground.clock,
        bell=ground.bell,
        node=node_of(settings),
        public_url=ground.public_url,
        registry=registry,
        channels=tuple(channels.values()),
        problems=problems,
        outlook=engine.watchdog.outlook,
        degraded=degraded,
        links=Links(ground.answer_key, ground.tag, engine.recorder.receipt),
        push=push_of(settings) if "push" in channels else None,
        site=settings.web.site,
        sender_names=settings.intake.sender_names,
        templates=settings.templates_dir,
    )
