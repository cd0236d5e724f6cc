"""Loads the settings and opens the store for the commands that work on this machine, and words their failures."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from warnd.cli.stop import Exit, Stop
from warnd.ledger.store import StoreError, open_engine, refusal, sqlite_path, upgrade
from warnd.settings import Settings, SettingsError, find, load

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The settings; else WARND_CONFIG and the usual places.")
]


def load_settings(config: Path | None) -> Settings:
    """Return the settings.

    Raises:
        Stop: The named file is not there (3), or something in it or in the environment is wrong (2), with every problem found.
    """
    path = find(config, os.environ)
    if path is not None and not path.is_file():
        raise Stop(f"Cannot open the settings file {path}: there is no such file.", code=Exit.UNREACHABLE)
    try:
        return load(config, os.environ)
    except SettingsError as wrong:
        raise Stop(str(wrong), code=Exit.USAGE) from wrong


def ready_store(settings: Settings) -> str | None:
    """Create the store's tables or bring them to this version; return the migration of a newer one that it stands at, if any.

    Raises:
        Stop: It cannot be opened (3).
    """
    try:
        return upgrade(settings.store.url)
    except StoreError as closed:
        raise Stop(str(closed), code=Exit.UNREACHABLE) from closed


@contextmanager
def open_store(settings: Settings, *, begin: str = "BEGIN IMMEDIATE") -> Iterator[Connection]:
    """Open the store that `serve` may have open too, for one transaction, which is committed at the end of the block.

    "BEGIN" only reads, and holds up nobody.

    Raises:
        Stop: It is not there, is no warnd store, or stays locked (3).
    """
    path = sqlite_path(settings.store.url)
    if path is not None and not path.is_file():
        raise Stop(f"There is no store at {path}. `warnd db upgrade` creates it.", code=Exit.UNREACHABLE)
    engine = open_engine(settings.store.url, begin=begin)
    try:
        with engine.begin() as conn:
            yield conn
    except DBAPIError as error:
        told = f"{refusal(settings.store.url, error)} `warnd db upgrade` makes its tables."
        raise Stop(told, code=Exit.UNREACHABLE) from error
    finally:
        engine.dispose()
