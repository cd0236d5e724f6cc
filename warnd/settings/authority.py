"""Reads which senders stand above which."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from pydantic import Field, ValidationError

from warnd.model.authority import Authority
from warnd.settings.document import read_toml
from warnd.settings.kinds import Name, Names, Table
from warnd.settings.problem import SettingsError


class AuthorityFile(Table):
    """The whole file."""

    superiors: Mapping[Name, Names] = Field(default={}, description='a list of senders, like ["flood@city.example"]')


def load_authority(path: Path) -> Authority:
    """Return who may change whose warnings, from a TOML file.

    Raises:
        SettingsError: With every problem found; a circle of superiors is one, for everybody in it could revoke everybody.
    """
    document = read_toml(path)
    try:
        written = AuthorityFile.model_validate(document.values)
    except ValidationError as error:
        raise SettingsError(document.problems(error, shape=AuthorityFile)) from error
    try:
        TopologicalSorter(written.superiors).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        cause = f"Superiors go round in a circle: {' < '.join(reversed(circle))}."
        problem = document.problem(("superiors", circle[0]), cause, "Take one of them out.")
        raise SettingsError([problem]) from error
    return Authority(superiors={sender: frozenset(above) for sender, above in written.superiors.items()})
