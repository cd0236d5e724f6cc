"""`warnd check`: says before a start whether it would succeed. It changes nothing, and connects to others only with `--live`."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DatabaseError, DBAPIError

from channels import STRONGEST
from warnd import daemon
from warnd.cli.live import Trial, trials
from warnd.cli.output import say, warn
from warnd.cli.settled import ConfigFile, load_settings
from warnd.cli.stop import Exit, Stop
from warnd.ledger.store import StoreError, open_engine, refusal, shown, sqlite_path, usable
from warnd.model.loudspeaker import KeyFileError, load_private_key
from warnd.model.push import load_vapid_key
from warnd.render.speech import rehearse, studio_of
from warnd.settings import Settings, SettingsError, load_plans

Live = Annotated[
    bool, typer.Option("--live", help="Also try every gateway, server and broker; nobody is told anything.")
]
Json = Annotated[bool, typer.Option("--json", help="Print what was found as one JSON document.")]

_BY_PLAN = frozenset(
    {"apprise", "email", "mqtt", "sms"}
)  # The others tell whoever looks or subscribed, without a plan.


@dataclass(frozen=True, slots=True)
class _Found:
    """One line of the answer."""

    part: str
    ok: bool
    told: str


def check(*, config: ConfigFile = None, live: Live = False, as_json: Json = False) -> None:
    """Check settings, plans, authority, templates, keys, store and speech. Exits with 1 if something is wrong."""
    try:
        settings = load_settings(config)
    except Stop as stop:
        # Wrong settings are what was asked about: the answer is no. A file that is not there could not be asked.
        raise Stop(str(stop), code=Exit.NO if stop.code is Exit.USAGE else stop.code) from stop
    parts: dict[str, Callable[[Settings], str]] = {
        "files": _files,
        "keys": _keys,
        "store": _store,
        "folders": _folders,
        "channels": _channels,
        "links": _links,
        "speech": _speech,
    }
    found = [_tried(name, part, settings) for name, part in parts.items()]
    tried = [line for trial in (trials(settings) if live else ()) for line in _lines(trial)]
    if as_json:
        say(
            json.dumps(
                {"checks": [asdict(one) for one in found], "live": [asdict(one) for one in tried]}, ensure_ascii=False
            )
        )
    else:
        _print(found, width=9)
        _print(tried, width=max((len(one.part) for one in tried), default=0))
    raise typer.Exit(Exit.FINE if all(one.ok for one in (*found, *tried)) else Exit.NO)


def _print(found: Sequence[_Found], *, width: int) -> None:
    for one in found:
        (say if one.ok else warn)(f"{one.part:{width}} {'' if one.ok else 'WRONG: '}{one.told}")


def _lines(trial: Trial) -> list[_Found]:
    if not trial.findings:
        return [_Found(f"live {trial.channel}", True, "nothing to try")]
    return [
        _Found(
            f"live {trial.channel}",
            each.wrong is None,
            f"{each.about}: {each.wrong or each.told or 'works'}",
        )
        for each in trial.findings
    ]


def _tried(name: str, part: Callable[[Settings], str], settings: Settings) -> _Found:
    try:
        return _Found(name, True, part(settings))
    except (SettingsError, daemon.ConfigurationError, KeyFileError, StoreError, _Unfit, DBAPIError) as wrong:
        return _Found(name, False, str(wrong))


def _files(settings: Settings) -> str:
    found = daemon.read_files(settings)
    return f"{len(found.plans)} plans, authority and templates are sound"


def _keys(settings: Settings) -> str:
    links = [link for link in (settings.mqtt, settings.mqtt and settings.mqtt.drill) if link]
    for link in links:
        load_private_key(link.signing_key_file)
    if settings.push is not None:
        load_vapid_key(settings.push.vapid_key_file)
    count = len(links) + (settings.push is not None)
    return f"{count} signing keys are sound" if count else "none needed: [mqtt] and [push] are off"


def _store(settings: Settings) -> str:
    path = sqlite_path(settings.store.url)
    if path is not None and path.exists() and not path.is_file():
        raise _Unfit(f"{path} is no file. Take it away, or name another in store.url.")
    if path is not None and not path.exists():
        _may_be_made(path.parent, "store.url")
        return f"{path} is not there yet; `serve` and `import` create it"
    engine = open_engine(settings.store.url, begin="BEGIN")
    try:
        with engine.begin() as conn:
            current = usable(conn)
    except DatabaseError as error:
        raise _Unfit(refusal(settings.store.url, error)) from error
    finally:
        engine.dispose()
    return f"{shown(settings.store.url)} answers{'' if current else '; `serve` and `warnd db upgrade` bring it to this version'}"


def _folders(settings: Settings) -> str:
    sms = settings.sms
    parts = sms.smpp.parts_file if sms and sms.smpp else None
    named = {
        "intake.watch_dir": settings.intake.watch_dir,
        "sms.spool.dir": sms.spool.dir if sms and sms.spool else None,
        "email.bounce_maildir": settings.email.bounce_maildir if settings.email else None,
    }
    given = {key: path for key, path in named.items() if path is not None}
    for key, path in given.items():
        _may_be_made(path, key)
    if parts is not None:
        _may_be_written(parts, "sms.smpp.parts_file")
        given["sms.smpp.parts_file"] = parts.parent
    return f"{len(given)} folders can be used" if given else "none needed"


def _may_be_made(folder: Path, key: str) -> None:
    """Say that a folder is there and may be written to, or that it can be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise _Unfit(f"{key}: {there} is no folder. Take it away, or name another.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _Unfit(f"{key}: this user may not write to {there}. Correct its rights, or name another.")


def _may_be_written(file: Path, key: str) -> None:
    """Say that a file can be written beside the others in its folder, which nobody makes."""
    if not file.parent.is_dir():
        raise _Unfit(f"{key}: there is no folder {file.parent}. Make it, or name a file elsewhere.")
    if not all(os.access(path, os.W_OK) for path in (file.parent, file) if path.exists()):
        raise _Unfit(f"{key}: this user may not write {file}. Correct the rights, or name a file elsewhere.")


class _Unfit(Exception):  # noqa: N818 - said to a person, not caught elsewhere
    """Something that the settings name cannot be used; what, where, what to do."""


def _channels(settings: Settings) -> str:
    sections = {name: getattr(settings, name, None) for name in STRONGEST}
    on = [name for name, section in sections.items() if section and getattr(section, "site", True)]
    off = [name for name in sections if name not in on]
    told = f"on: {', '.join(on) or 'none'}; off: {', '.join(off) or 'none'}"
    idle = [name for name in on if name in _BY_PLAN.difference(_planned(settings))]
    note = f"NOTE: no plan names {', '.join(idle)}, so nobody is told that way. Add it in plans_file."
    return f"{told}. {note}" if idle else told


def _planned(settings: Settings) -> set[str]:
    """Return the channels that plans name; all, where the plans cannot be read, which `files` tells."""
    try:
        plans = load_plans(settings.plans_file, strongest=STRONGEST)
    except SettingsError:
        return set(STRONGEST)
    return {name for plan in plans for audience in plan.audiences for name in audience.channels}


def _links(settings: Settings) -> str:
    """Say where answer links lead: whoever gets one must be able to open it."""
    twilio = settings.sms is not None and "twilio" in settings.sms.providers
    if settings.email is None and settings.apprise is None and not twilio:
        return "no answer links: [email] and [apprise] are off"
    if settings.http.public_url is None:
        listen, what = settings.http.listen, "Twilio's callbacks and answer links" if twilio else "answer links"
        return f"NOTE: {what} lead to {listen.host}:{listen.port}, which others elsewhere cannot open. Set http.public_url."
    return f"answer links lead to {str(settings.http.public_url).rstrip('/')}/a/"


def _speech(settings: Settings) -> str:
    studio = studio_of(settings.speech, languages=settings.node.languages)
    if studio is None:
        return "off: loudspeakers speak with voices of their own"
    told = asyncio.run(rehearse(studio.engine, languages=settings.node.languages))
    if wrong := [f"{lang}: {trouble}" for lang, trouble in told.items() if trouble]:
        fix = (
            "Install the engine or its voice, or correct [speech]; until then terminals speak with voices of their own."
        )
        raise _Unfit(f"{'; '.join(wrong)}. {fix}")
    spoken = f"{studio.engine.name} speaks {', '.join(told)}" if told else "no engine speaks a language of the node"
    return f"{spoken}; {studio.stock} recordings by people, {studio.names} names in the lexicon"
