"""How the parts that deliver are joined: plan, claim, render, send, record, and what time does.

Decides nothing itself, and runs nothing: the daemon does.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from warnd.channel import Channel, Publisher
from warnd.daemon.derived import lane_limits, recording_limits
from warnd.daemon.ground import Ground
from warnd.daemon.worker import Worker
from warnd.dispatch.clockwork import Clockwork
from warnd.dispatch.contents import Contents
from warnd.dispatch.lane import Lane, Workbench
from warnd.dispatch.lookout import Lookout
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.planner import Planner
from warnd.dispatch.quiet import Quiet
from warnd.dispatch.recorder import Recorder
from warnd.dispatch.recordings import Recordings
from warnd.dispatch.watchdog import LaneSigns, Watchdog
from warnd.dispatch.workshop import Workshop
from warnd.ledger.planning import Means, Pace
from warnd.ledger.priority import lane
from warnd.ledger.workers import Gone
from warnd.model import answer
from warnd.render.speech import Studio


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The parts that deliver, joined and not yet running."""

    recorder: Recorder
    lookups: Lookups
    clockwork: Clockwork
    planner: Planner
    recordings: Recordings
    contents: Contents
    lanes: list[Lane]
    watchdog: Watchdog
    quiet: Quiet

    async def make_recordings(self) -> None:
        """Have spoken what waits for it, until cancelled."""
        await self.recordings.run(message=self.contents.speech, waiting=self.contents.speech_in_review)


def engine(
    ground: Ground, channels: Mapping[str, Channel], *, worker: Worker | None, bury: Callable[[Gone], None]
) -> Engine:
    """Join the parts that deliver.

    Args:
        ground: What they stand on.
        channels: Those that are on, by name.
        worker: This process among others; None = it is alone.
        bury: Told of every worker whose tries were taken over.
    """
    recorder = Recorder(
        ground.ledger,
        ground.clock,
        chance=_swift(ground.chance),
        tag=ground.tag,
        writer=ground.writer,
        bell=ground.bell,
        metrics=ground.metrics,
    )
    lookups = Lookups(ground.ledger, ground.clock, recorder=recorder, channels=channels, tag=ground.tag)
    quiet = Quiet(ground.ledger, ground.clock, bell=ground.bell)
    recordings = _recordings(ground, ground.files.studio if "mqtt" in channels else None, quiet)
    contents = _contents(ground, recordings)
    return Engine(
        recorder=recorder,
        lookups=lookups,
        clockwork=Clockwork(
            ground.ledger,
            ground.clock,
            lookups=lookups,
            quiet=quiet,
            chance=ground.chance,
            writer=ground.writer,
            bell=ground.bell,
            alone=ground.alone,
            silent_before_ms=worker.silent_before_ms if worker is not None else lambda: None,
            bury=bury,
        ),
        planner=_planner(ground, channels, quiet),
        recordings=recordings,
        contents=contents,
        lanes=_lanes(ground, channels, recorder=recorder, lookups=lookups, contents=contents, quiet=quiet),
        watchdog=_watchdog(ground, channels),
        quiet=quiet,
    )


def _planner(ground: Ground, channels: Mapping[str, Channel], quiet: Quiet) -> Planner:
    means = Means(
        channels=frozenset(channels),
        jurisdiction=ground.jurisdiction,
        publications={name: tuple(one.targets()) for name, one in channels.items() if isinstance(one, Publisher)},
    )
    return Planner(
        ground.ledger,
        ground.clock,
        means=means,
        pace=Pace(),
        writer=ground.writer,
        bell=ground.bell,
        quiet=quiet,
        alone=ground.alone,
    )


def _recordings(ground: Ground, studio: Studio | None, quiet: Quiet) -> Recordings:
    return Recordings(
        ground.ledger,
        ground.clock,
        studio=studio,
        workshop=_workshop(ground, studio),
        limits=recording_limits(ground.settings, ground.public_url),
        writer=ground.writer,
        bell=ground.bell,
        quiet=quiet,
    )


def _workshop(ground: Ground, studio: Studio | None) -> Workshop | None:
    own = ground.settings.speech
    if studio is None or own is None:
        return None
    return Workshop(
        ground.ledger,
        ground.clock,
        studio=studio,
        most_bytes=own.keep_mb * 1024 * 1024,
        writer=ground.writer,
        bell=ground.bell,
        metrics=ground.metrics,
    )


def _contents(ground: Ground, recordings: Recordings) -> Contents:
    site = ground.public_url.rstrip("/")
    return Contents(
        ground.ledger,
        ground.clock,
        templates=ground.files.templates,
        timezone=ground.settings.node.timezone,
        tag=ground.tag,
        sender_names=ground.settings.intake.sender_names,
        recordings=recordings,
        answer_url=lambda attempt: f"{site}/a/{answer.token(ground.answer_key, attempt)}",
    )


def _lanes(
    ground: Ground,
    channels: Mapping[str, Channel],
    *,
    recorder: Recorder,
    lookups: Lookups,
    contents: Contents,
    quiet: Quiet,
) -> list[Lane]:
    """Return two lanes for each channel: one for the real thing, one for drills, so that neither waits for the other."""
    bench = Workbench(
        ledger=ground.ledger,
        clock=ground.clock,
        recorder=recorder,
        contents=contents,
        lookups=lookups,
        lookout=Lookout(
            ground.ledger,
            ground.clock,
            bell=ground.bell,
            lanes=[lane(name, drill=drill) for name in channels for drill in (False, True)],
        ),
        quiet=quiet,
        writer=ground.writer,
        bell=ground.bell,
        metrics=ground.metrics,
    )
    return [
        Lane(lane(name, drill=drill), channel, limits=lane_limits(ground.settings, name), bench=bench)
        for name, channel in channels.items()
        for drill in (False, True)
    ]


def _watchdog(ground: Ground, channels: Mapping[str, Channel]) -> Watchdog:
    signs = {
        lane(name, drill=drill): LaneSigns(lane_limits(ground.settings, name).rate_per_s, channel.problem)
        for name, channel in channels.items()
        for drill in (False, True)
    }
    return Watchdog(
        ground.ledger,
        ground.clock,
        lanes=signs,
        after_s=ground.settings.alarms.stalled_after_s,
        shared=not ground.alone,
        metrics=ground.metrics,
        own_name=ground.settings.node.worker or "",
    )


def _swift(chance: random.Random) -> random.Random:
    """Return chance that is good enough for waits, without a call to the system for each of a million of them."""
    return random.Random(chance.getrandbits(128)) if isinstance(chance, random.SystemRandom) else chance  # noqa: S311 - spreads waits, protects nothing
