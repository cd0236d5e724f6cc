"""Evidence: the strongest proof that a recipient heard, and the states of the rows that carry it.

Evidence is a lattice joined by `max`. Receipts come early, late, twice and in any order; nothing here ever falls.
"""

from enum import IntEnum, StrEnum


class Evidence(IntEnum):
    """Proof levels, weakest first. They stand side by side in every report and are never added up."""

    NONE = 0
    ACCEPTED = 1  # A gateway, broker or page took it; proves nothing about the recipient.
    DELIVERED = 2  # The recipient's own device has it.
    PRESENTED = 3  # It was played or shown whole.
    ACKNOWLEDGED = 4  # A human answered.

    @property
    def word(self) -> str:
        """Return the name used on the wire and in SQL ("delivered")."""
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> "Evidence":
        """Return the level with this wire name; raises KeyError for any other word."""
        return cls[word.upper()]


class DeliveryState(StrEnum):
    """What has become of the duty to make one recipient hear."""

    OPEN = "open"
    SATISFIED = "satisfied"  # The proof that the plan demands is there.
    EXHAUSTED = "exhausted"  # Every channel's tries are used up; a late receipt may still satisfy it.
    EXPIRED = "expired"  # The warning's life ended first; evidence may still rise, shown as late.
    WITHDRAWN = "withdrawn"  # Cancelled or superseded first; evidence may still rise, shown as late.
