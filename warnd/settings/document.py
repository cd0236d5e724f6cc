"""Reads a TOML file and turns what pydantic says about its values into problems with file and line.

Shared by settings, plans and authority, so that all three complain alike.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from warnd.settings import toml_lines
from warnd.settings.explain import explain, is_echo
from warnd.settings.problem import Problem, SettingsError


@dataclass(frozen=True, slots=True)
class Document:
    """One TOML text: its values, and where each stands.

    Attributes:
        path: The file; None = no file, all values came from elsewhere.
        values: What stands in the file.
        lines: Where it stands there.
        variables: Paths whose value an environment variable gave, with the variable's name.
        overlay: What the variables gave.
    """

    path: Path | None
    values: Mapping[str, Any]
    lines: Mapping[toml_lines.Path, int]
    variables: Mapping[toml_lines.Path, str] = field(default_factory=dict)
    overlay: Mapping[str, Any] = field(default_factory=dict)

    def place(self, path: toml_lines.Path) -> str:
        """Say where `path` stands: "FILE:LINE", "FILE", or the environment variable that gave it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.variables:
                return f"environment variable {self.variables[path[:end]]}"
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return f"{self.path}:{self.lines[path[:end]]}"
            beneath = next((name for given, name in self.variables.items() if given[:end] == path[:end]), None)
            if beneath:
                return f"environment variable {beneath}"
        return str(self.path or "settings")

    def problem(self, path: toml_lines.Path, cause: str, fix: str) -> Problem:
        """Make a problem of the value at `path`."""
        return Problem(place=self.place(path), key=dotted(path), cause=cause, fix=fix)

    def problems(self, failure: ValidationError, *, shape: type[BaseModel]) -> list[Problem]:
        """Turn pydantic's findings about this document into problems, in the order of the file."""
        found = [(_path(error["loc"]), error) for error in failure.errors(include_url=False)]
        found = [each for each in found if each[1]["type"] == "missing" or self._gives(each[0])]
        found = [each for each in found if not is_echo(each[1])]
        found.sort(key=lambda each: toml_lines.line_of(self.lines, each[0]) or 0)
        return [self.problem(path, *explain(error, path=path, shape=shape)) for path, error in found]

    def _gives(self, path: toml_lines.Path) -> bool:
        """Say whether `path` was written here; a wrong value that was passed on from another key is reported there."""
        return _reaches(self.values, path) or _reaches(self.overlay, path)


def read_toml(path: Path) -> Document:
    """Read a TOML file.

    Raises:
        SettingsError: It cannot be read, is not UTF-8, or is not TOML.
    """
    text = read_text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_not_toml(path, text, str(error))]) from error
    return Document(path=path, values=values, lines=toml_lines.toml_lines(text))


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        SettingsError: It cannot be read or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise SettingsError([Problem(str(path), "", "There is no such file.", "Create it or name another.")]) from error
    except OSError as error:
        cause = f"It cannot be read: {(error.strerror or str(error)).lower()}."
        raise SettingsError([Problem(str(path), "", cause, "Name a file that this user may read.")]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError([Problem(f"{path}:{line}", "", "This is not UTF-8 text.", "Save it as UTF-8.")]) from error


def _reaches(inside: Any, path: toml_lines.Path) -> bool:
    for step in path:
        try:
            inside = inside[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _path(loc: toml_lines.Path) -> toml_lines.Path:
    """Drop pydantic's own mark that it was the key, not the value, which is wrong."""
    return loc[:-1] if loc and loc[-1] == "[key]" else loc


def dotted(path: toml_lines.Path) -> str:
    """Write a path as an operator reads it: "mqtt.port", `intake.levels."*"`; entries count from 1: "plan[2]"."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step + 1}]"
        else:
            name = step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else f'"{step}"'
            written += f".{name}" if written else name
    return written


def _not_toml(path: Path, text: str, message: str) -> Problem:
    position = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = int(position[1]) if position and position[1] else text.count("\n") + 1
    cause = f"This is not TOML: {message[: position.start()] if position else message}."
    return Problem(f"{path}:{line}", "", cause, 'Correct the line; texts stand in quotes, as in name = "county".')
