"""What became of a document that somebody brought to a door."""

from dataclasses import dataclass
from enum import StrEnum

from warnd.model.reason import Reason


class Fate(StrEnum):
    """What intake decided. Each has one HTTP answer and one folder."""

    RELEASED = "released"  # New and dispatching.
    IN_REVIEW = "in_review"  # New; waits for an approval.
    SAME = "same"  # Known already with the same content.
    HELD = "held"  # Kept for an operator.
    QUARANTINED = "quarantined"  # The key is known with other content.
    FORBIDDEN = "forbidden"  # The principal may not do this.
    REFUSED = "refused"  # A rule refuses it.
    NOT_CAP = "not_cap"  # XML, but not CAP 1.1 or 1.2.
    NOT_XML = "not_xml"  # Not well-formed, or with a DOCTYPE.
    TOO_LARGE = "too_large"
    OVERTAKEN = "overtaken"  # A newer version of its chain was here first; stored as superseded, never dispatched.
    CANCELLED = "cancelled"  # Its Cancel was here first; stored as cancelled, never dispatched.


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer: the warning's id if one was stored, and why it is not dispatching if it is not."""

    fate: Fate
    warning_id: str | None = None
    reasons: tuple[Reason, ...] = ()


class UnknownWarning(LookupError):  # noqa: N818 - a lookup that found nothing, which callers answer with 404
    """No warning has this id."""


class WrongState(Exception):  # noqa: N818 - the warning's state is wrong for the move, not the program
    """The warning's state does not allow what was asked; the text says which state and what would be possible."""
