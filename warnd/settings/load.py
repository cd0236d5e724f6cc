"""Finds the settings file, lays the environment over it, checks the whole. Only reads files; connects to nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from warnd.settings.document import Document, read_toml
from warnd.settings.environment import Environment, contradictions, variables
from warnd.settings.problem import SettingsError
from warnd.settings.shape import Settings

PLACES = (Path("config/warnd.toml"), Path("/etc/warnd/warnd.toml"))


def find(config: Path | None, env: Mapping[str, str]) -> Path | None:
    """Return the settings file: `config`, else WARND_CONFIG, else the first of `PLACES` that is there, else None.

    A file that was named is returned whether it is there or not; reading it then says so.
    """
    if config or env.get("WARND_CONFIG"):
        return config or Path(env["WARND_CONFIG"])
    return next((place for place in PLACES if place.is_file()), None)


def load(config: Path | None, env: Mapping[str, str]) -> Settings:
    """Return the settings.

    Args:
        config: The file named by the user; None = look for it.
        env: The environment. Every variable that begins with WARND_ must be known.

    Raises:
        SettingsError: With every problem found.
    """
    path = find(config, env)
    document = read_toml(path) if path else Document(path=None, values={}, lines={})
    document = replace(document, variables=variables(env))
    if problems := list(contradictions(document, env)):
        raise SettingsError(problems)
    folder = path.parent.absolute() if path else Path.cwd()
    try:
        return Settings(document=document, env=env, folder=folder)
    except ValidationError as error:
        document = replace(document, overlay=Environment(Settings, env)())
        raise SettingsError(document.problems(error, shape=Settings)) from error
