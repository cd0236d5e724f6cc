"""`warnd check`: says before a start whether it would succeed. It changes nothing and connects to nothing."""

from collections.abc import Callable

import typer
from sqlalchemy.exc import DBAPIError

from channels import STRONGEST
from warnd import daemon
from warnd.cli.output import say, warn
from warnd.cli.settled import ConfigFile, load_settings
from warnd.cli.stop import Exit, Stop
from warnd.ledger.store import StoreError, open_engine, ready, sqlite_path
from warnd.model.loudspeaker import KeyFileError, load_private_key
from warnd.settings import Settings, SettingsError


def check(*, config: ConfigFile = None) -> None:
    """Check settings, plans, authority, templates, keys and store. Exits with 1 if something is wrong."""
    try:
        settings = load_settings(config)
    except Stop as stop:
        # Wrong settings are what was asked about: the answer is no. A file that is not there could not be asked.
        raise Stop(str(stop), code=Exit.NO if stop.code is Exit.USAGE else stop.code) from stop
    parts: dict[str, Callable[[Settings], str]] = {
        "files": _files,
        "keys": _keys,
        "store": _store,
        "channels": _channels,
    }
    sound = all([_told(name, part, settings) for name, part in parts.items()])  # noqa: C419 - every part is to be told
    raise typer.Exit(Exit.FINE if sound else Exit.NO)


def _told(name: str, part: Callable[[Settings], str], settings: Settings) -> bool:
    try:
        say(f"{name:9} {part(settings)}")
    except (SettingsError, daemon.ConfigurationError, KeyFileError, StoreError, DBAPIError) as wrong:
        warn(f"{name:9} WRONG: {wrong}")
        return False
    return True


def _files(settings: Settings) -> str:
    found = daemon.read_files(settings)
    return f"{len(found.plans)} plans, authority and templates are sound"


def _keys(settings: Settings) -> str:
    links = [link for link in (settings.mqtt, settings.mqtt and settings.mqtt.drill) if link]
    for link in links:
        load_private_key(link.signing_key_file)
    return f"{len(links)} signing keys are sound" if links else "none needed: [mqtt] is off"


def _store(settings: Settings) -> str:
    path = sqlite_path(settings.store.url)
    if path is not None and not path.is_file():
        return f"{path} is not there yet; `serve` and `import` create it"
    engine = open_engine(settings.store.url)
    try:
        with engine.connect() as conn:
            ready(conn)
    finally:
        engine.dispose()
    return f"{settings.store.url} answers"


def _channels(settings: Settings) -> str:
    sections = {name: getattr(settings, name, None) for name in STRONGEST}
    on = [name for name, section in sections.items() if section and getattr(section, "site", True)]
    off = [name for name in sections if name not in on]
    return f"on: {', '.join(on) or 'none'}; off: {', '.join(off) or 'none'}"
