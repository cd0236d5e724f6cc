"""What is wrong with a file, place by place: collected, counted, and never more than a bounded number kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field

KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        line: In the file, from 1; None if it is about the directory.
        feature: Number of the GeoJSON feature, from 1; None in CSV.
        column: The column or property, None if it is about the whole line.
        cause: What was found.
        fix: What to do.
    """

    line: int | None
    feature: int | None
    column: str | None
    cause: str
    fix: str

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.line is None:
            return "directory"
        where = f"line {self.line}" if self.feature is None else f"feature {self.feature} (line {self.line})"
        return f"{where}, {self.column}" if self.column else where


@dataclass(slots=True)
class Problems:
    """All findings about one file: the first thousand, and how many there are."""

    total: int = 0
    kept: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        """Count a finding; keep it if there is room."""
        self.total += 1
        if len(self.kept) < KEPT:
            self.kept.append(problem)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self.kept, key=lambda each: (each.line or 0, each.feature or 0)))

    def __bool__(self) -> bool:
        return self.total > 0


class Unreadable(Exception):  # noqa: N818 - the file is, not the program
    """The file cannot be read beyond this point."""

    def __init__(self, *, line: int, cause: str, fix: str, feature: int | None = None) -> None:
        super().__init__(cause)
        self.problem = Problem(line, feature, None, cause, fix)
