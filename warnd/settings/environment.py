"""Lays environment variables over the values of a settings file: `WARND_<SECTION>__<KEY>`."""

import json
from collections.abc import Mapping
from typing import Any

from warnd.settings.kinds import Separated
from warnd.settings.problem import Problem, SettingsError
from warnd.settings.toml_lines import Path

_PREFIX = "WARND_"
# Read elsewhere: by the commands that talk to a daemon, by the terminal, by tests; and the choice of the file itself.
_NOT_SETTINGS = frozenset({"WARND_CONFIG", "WARND_URL", "WARND_TOKEN", "WARND_TERMINAL_PASSWORD", "WARND_CAP_SAMPLES"})


def overlay(values: Mapping[str, Any], env: Mapping[str, str]) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return `values` with what the environment says laid over them, and which variable gave which path.

    A value that begins with { is JSON, for whole tables; any other is text. Where a list is expected, the text is JSON
    or has commas between the entries (`Separated`).

    Raises:
        SettingsError: A value that begins like JSON is none, or a variable stands both for a table and for a key in it.
    """
    merged = dict(values)
    given: dict[Path, str] = {}
    problems: list[Problem] = []
    for name in sorted(name for name in env if name.startswith(_PREFIX) and name not in _NOT_SETTINGS):
        path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
        try:
            _set(merged, path, _value(env[name]))
        except ValueError as error:
            problems.append(Problem(f"environment variable {name}", ".".join(path), f"{error}.", "Correct the value."))
        given[path] = name
    if problems:
        raise SettingsError(problems)
    return merged, given


def _value(text: str) -> Any:
    if not text.startswith("{"):
        return Separated(text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"It begins like JSON but is none ({error})") from error


def _set(table: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Put `value` at `path`, copying every table on the way so that the file's own values stay as they are."""
    for step in path[:-1]:
        inside = table.get(step, {})
        if not isinstance(inside, dict):
            raise ValueError(f'"{step}" is given as a value, not as a table')  # noqa: TRY004 - the caller reports values
        table[step] = dict(inside)
        table = table[step]
    table[path[-1]] = value
