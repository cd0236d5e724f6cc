"""Small helpers that all imports share over their stage."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from warnd.intake.importing.problem import Problem, Problems
from warnd.ledger.enrolment.staging import Stage

T = TypeVar("T")

CHUNK = 2_000
"""Rows per transaction: few enough that the daemon's own writing waits no longer than about a tenth of a second."""


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def report_repeated(stage: Stage, problems: Problems, *, column: str) -> None:
    """Add a problem for each row whose key stood in an earlier one."""
    for key, line, feature, first in stage.repeated():
        problems.add(Problem(line, feature, column, f"{key} stands in line {first} already", "Keep one of the two."))
