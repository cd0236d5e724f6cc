"""What Twilio's words for a message's state prove (twilio.com/docs/messaging/api/message-resource, "Message Status")."""

from dataclasses import dataclass

from channels.sms.twilio import codes
from warnd.model.evidence import Evidence

_PROVES = {
    "accepted": Evidence.ACCEPTED,
    "scheduled": Evidence.ACCEPTED,
    "queued": Evidence.ACCEPTED,
    "sending": Evidence.ACCEPTED,
    "sent": Evidence.ACCEPTED,  # A carrier has it, which is no phone.
    "delivered": Evidence.DELIVERED,
    "read": Evidence.PRESENTED,  # Only messengers behind a Messaging Service tell it; it is no answer.
}
_DENIES = frozenset({"undelivered", "failed", "canceled", "partially_delivered"})
KNOWN = frozenset(_PROVES) | _DENIES


@dataclass(frozen=True, slots=True)
class Word:
    """What one word about a message says.

    Attributes:
        final: Nothing more is expected after it.
        reason: Why it failed, else None.
        permanent: The number is at fault: another try of the same text would fail alike.
    """

    evidence: Evidence
    failed: bool
    final: bool
    reason: str | None = None
    permanent: bool = False


def read(status: str, code: int | None, *, failed_before: bool = False) -> Word | None:
    """Return what a status says; None for a word that is not known, which proves nothing.

    The parts of a long text are reported one by one without a number: a "delivered" that still carries an error code, or that follows a
    failure of the same message, is about another part, so the text as a whole did not arrive.
    """
    if status in _DENIES:
        return Word(
            Evidence.NONE,
            failed=True,
            final=True,
            reason=f"{status}: {codes.word(code)}" if code else status,
            permanent=code is not None and codes.verdict(code) is codes.Verdict.NUMBER,
        )
    evidence = _PROVES.get(status)
    if evidence is None:
        return None
    if evidence >= Evidence.DELIVERED and (code or failed_before):
        return Word(
            Evidence.NONE, failed=True, final=True, reason=f"partial: {codes.word(code)}" if code else "partial"
        )
    return Word(evidence, failed=False, final=evidence >= Evidence.DELIVERED)
