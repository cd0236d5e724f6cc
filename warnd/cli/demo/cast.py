"""Who plays which part in the demonstration: the few villages where something is wrong, and the truth that follows from it.

The truth is worked out here from the parts alone, never by the daemon's own rule: that is what the daemon's word is compared with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from warnd.cli.demo.county import County

CONFIRMED = "confirmed"


class Speaker(StrEnum):
    """What a village loudspeaker is like."""

    FINE = "fine"
    LATE = "late"  # Without power at first; comes back and plays what was retained for it.
    DARK = "dark"  # Never comes back.
    BROKEN = "broken"  # Plays into a dead amplifier, and knows it.
    STRANGER = "stranger"  # Trusts another centre's key only, so it stays silent and says so.
    MUTE = "mute"  # Has lost its voice: it hears, but cannot speak.


class Officer(StrEnum):
    """What a village's information officer is like."""

    ANSWERS = "answers"
    SILENT = "silent"  # The phone reports every message, its owner never answers.
    OFF = "off"  # The phone is switched off.
    UNLISTED = "unlisted"  # Nobody wrote down a number.


@dataclass(frozen=True, slots=True)
class Part:
    """What one village is given: its loudspeakers (perhaps none) and its officer."""

    speakers: tuple[Speaker, ...] = (Speaker.FINE,)
    officer: Officer = Officer.ANSWERS

    @property
    def truth(self) -> str:
        """Return "confirmed" or the reason why this village cannot be, as DESIGN §13 orders the reasons for a red warning."""
        if not self.speakers:
            return "no_terminal"
        if all(speaker is Speaker.DARK for speaker in self.speakers):
            return "offline"
        if not any(speaker in (Speaker.FINE, Speaker.LATE) for speaker in self.speakers):
            faults = {Speaker.STRANGER: "refused", Speaker.BROKEN: "amplifier", Speaker.MUTE: "not_played"}
            return next(reason for speaker, reason in faults.items() if speaker in self.speakers)
        officers = {Officer.UNLISTED: "no_officer", Officer.SILENT: "officer_silent", Officer.OFF: "officer_silent"}
        return officers.get(self.officer, CONFIRMED)


_ORDINARY = Part()
# Village number (from 0, in the county's order) -> its part. All others have one good loudspeaker and an officer who answers.
_SPECIAL = {
    0: Part((Speaker.FINE, Speaker.FINE)),
    9: Part((Speaker.DARK,)),
    12: Part(officer=Officer.OFF),
    17: Part(()),
    25: Part((Speaker.LATE,)),
    30: Part((Speaker.BROKEN,)),
    40: Part((Speaker.DARK, Speaker.FINE)),
    48: Part(officer=Officer.UNLISTED),
    55: Part((Speaker.DARK,)),
    66: Part((Speaker.STRANGER,)),
    72: Part((Speaker.MUTE,)),
    83: Part(()),
    95: Part((Speaker.LATE,)),
    101: Part((Speaker.DARK,), Officer.OFF),
    110: Part(officer=Officer.SILENT),
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Village code -> its part."""

    parts: Mapping[str, Part]

    @property
    def truth(self) -> dict[str, str]:
        """Village code -> "confirmed" or the reason why not."""
        return {code: part.truth for code, part in self.parts.items()}


def give_parts(county: County) -> Cast:
    """Return the cast, always the same."""
    return Cast({village.code: _SPECIAL.get(number, _ORDINARY) for number, village in enumerate(county.villages)})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The daemon's word beside the truth.

    Attributes:
        confirmed: Villages that the daemon confirmed.
        wrong: (code, the truth, the daemon's word) wherever the two differ.
    """

    confirmed: int
    wrong: Sequence[tuple[str, str, str]] = field(default=())


def compare(truth: Mapping[str, str], *, unconfirmed: Mapping[str, str], targeted: int) -> Comparison:
    """Compare village by village.

    Args:
        truth: Village code -> "confirmed" or the reason.
        unconfirmed: Village code -> reason as the daemon's coverage lists them.
        targeted: How many villages the daemon says it targeted; the rest of them it calls confirmed.
    """
    word = {code: unconfirmed.get(code, CONFIRMED) for code in truth} | dict(unconfirmed)
    wrong = [
        (code, truth.get(code, "not targeted"), said) for code, said in sorted(word.items()) if truth.get(code) != said
    ]
    if targeted != len(truth):
        wrong.append(("all villages", f"{len(truth)} targeted", f"{targeted} targeted"))
    return Comparison(targeted - len(unconfirmed), tuple(wrong))
