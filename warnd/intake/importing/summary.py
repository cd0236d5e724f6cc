"""What an import did, or would do: the document that `--json` prints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from warnd.intake.importing.problem import Problem, Problems

Progress = Callable[[str, int, int], None]
"""Told (what is being done, how far, of how much)."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to import.

    Attributes:
        dry_run: Check and count everything, change nothing.
        prune: Remove what the file does not have.
        progress: Told how far the import is.
    """

    dry_run: bool = False
    prune: bool = False
    progress: Progress = lambda _what, _done, _whole: None


@dataclass(slots=True)
class Summary:
    """Counts and findings.

    Attributes:
        what: regions, recipients or aliases.
        rows: Rows read.
        revision: The directory's revision afterwards; in a dry run, and where nothing changed, the one before.
        problems: Faults; with any, nothing was imported.
        notes: Findings that stop nothing.
    """

    what: str
    dry_run: bool
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    revision: int = 0
    problems: Problems = field(default_factory=Problems)
    notes: Problems = field(default_factory=Problems)

    @property
    def changes(self) -> int:
        """How many regions, recipients or aliases change."""
        return self.new + self.changed + self.removed

    def document(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {
            "imported": self.what,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "revision": self.revision,
            "errors_total": self.problems.total,
            "errors": [_document(each) for each in self.problems],
            "notes_total": self.notes.total,
            "notes": [_document(each) for each in self.notes],
        }


def _document(problem: Problem) -> dict[str, Any]:
    return {
        "line": problem.line,
        "feature": problem.feature,
        "column": problem.column,
        "cause": problem.cause,
        "fix": problem.fix,
    }
