"""Reads settings from environment variables: `WARND_<SECTION>__<KEY>`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from warnd.settings.document import Document
from warnd.settings.kinds import Separated
from warnd.settings.problem import Problem
from warnd.settings.toml_lines import Path

PREFIX = "WARND_"
SEPARATOR = "__"
# Read elsewhere: by the commands that talk to a daemon, by the terminal, by tests; and the choice of the file itself.
_NOT_SETTINGS = frozenset({"WARND_CONFIG", "WARND_URL", "WARND_TOKEN", "WARND_TERMINAL_PASSWORD", "WARND_CAP_SAMPLES"})


def variables(env: Mapping[str, str]) -> dict[Path, str]:
    """Return which key each variable gives, tables before what stands in them: ("http", "listen") -> its variable."""
    names = sorted(name for name in env if name.startswith(PREFIX) and name not in _NOT_SETTINGS)
    return {tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR)): name for name in names}


class Environment(EnvSettingsSource):
    """The environment that was handed in.

    A whole table is JSON; where a list is expected, it is JSON or has commas between the entries (`Separated`).
    """

    def __init__(self, settings_cls: type[BaseSettings], env: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._paths = variables(env)
        # The library has put the environment of this process here.
        self.env_vars = {name.lower(): Separated(env[name]) for name in self._paths.values()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return a table from its JSON; leave other texts, which would have to be JSON, to the kinds of values."""
        return super().decode_complex_value(field_name, field, value) if value.startswith("{") else value

    def __call__(self) -> dict[str, Any]:
        """Return the values, with those of unknown sections, which the library would overlook and validation refuses."""
        unknown = {str(path[0]) for path in self._paths} - set(self.settings_cls.model_fields)
        return {**super().__call__(), **dict.fromkeys(unknown)}


def contradictions(document: Document, env: Mapping[str, str]) -> Iterator[Problem]:
    """Find the variables that the library would stumble over, or overlook, without a word on which it was.

    Args:
        document: The file, with its `variables`.
        env: Their values.
    """
    given: dict[Path, Any] = {}
    for path, name in document.variables.items():
        try:
            given[path] = json.loads(env[name]) if env[name].startswith("{") else env[name]
        except ValueError as error:
            yield document.problem(path, f"It begins like JSON but is none ({error}).", "Correct the value.")
            given[path] = {}
    for path in document.variables:
        for end in range(1, len(path)):
            if not isinstance(_value(path[:end], given, document.values), dict):
                cause = f'"{path[end - 1]}" is given as a value, not as a table.'
                yield document.problem(path, cause, "Correct the value.")
                break


def _value(path: Path, given: Mapping[Path, Any], values: Mapping[str, Any]) -> Any:
    """Return what a variable, or else the file, has at `path`; an empty table where neither has anything."""
    whole = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in given), ())
    inside: Any = given[whole] if whole else values
    for step in path[len(whole) :]:
        if not isinstance(inside, dict):
            return inside
        inside = inside.get(step, {})
    return inside
