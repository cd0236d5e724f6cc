"""What is wrong with a settings file: where it stands, what it is, what to do. Never prints a secret's content."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    Attributes:
        place: "FILE:LINE", "FILE" or "environment variable NAME".
        key: The setting as written with dots ("mqtt.port"); empty when the place says it all.
        cause: What was found there and what is expected, a sentence.
        fix: What to do, a sentence.
    """

    place: str
    key: str
    cause: str
    fix: str

    def __str__(self) -> str:
        """Return it on one line, as the command line prints it."""
        return f"{self.place}: {f'{self.key}: ' if self.key else ''}{self.cause} {self.fix}"


class SettingsError(Exception):
    """The settings cannot be used. Every problem found is listed, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
