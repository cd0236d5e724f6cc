"""Why a warning was refused, held or remarked upon, in the shape that problem details and logs carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Verdict(StrEnum):
    """What a reason does to its warning."""

    REFUSE = "refuse"  #: The warning is not taken.
    HOLD = "hold"  #: It is taken, and waits for an operator.
    NOTE = "note"  #: It goes on; whoever looks at it is told.


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding about one place in a warning; every text is English.

    Attributes:
        code: Stable snake_case name of the rule.
        element: Where, as a path counted from 1: `info[1]/area[2]/polygon[1]`; "alert" for the whole.
        cause: What was found there, with the value.
        fix: What to do about it.
        verdict: What it does to the warning.
    """

    code: str
    element: str
    cause: str
    fix: str
    verdict: Verdict

    def to_dict(self) -> dict[str, str]:
        """Return the JSON object of DESIGN §10 (`reasons`)."""
        return {
            "code": self.code,
            "element": self.element,
            "cause": self.cause,
            "fix": self.fix,
            "verdict": self.verdict.value,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, str]) -> Self:
        """Return the reason that `to_dict` wrote.

        Raises:
            KeyError: A key is missing.
            ValueError: The verdict is none.
        """
        return cls(
            code=stored["code"],
            element=stored["element"],
            cause=stored["cause"],
            fix=stored["fix"],
            verdict=Verdict(stored["verdict"]),
        )


def shorten(value: str, limit: int = 80) -> str:
    """Return `value` on one line and at most `limit` characters long, for quoting in a cause."""
    line = " ".join(value[: limit * 8].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
