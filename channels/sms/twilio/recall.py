"""What warnd remembers of its latest tries at Twilio, so that it can ask about them: bounded, and gone with the process.

Twilio keeps no id of ours with a message, only the address that it calls back. Asked for a message, it tells its own SID, the number, the
text and when it was made; so a try whose answer was lost is found again by number, text and time, among messages that are no other try's.
"""

import hashlib
import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Literal

from channels.sms.twilio.link import utc

_KEPT = 50_000
_AROUND = timedelta(minutes=10)  # By Twilio's clock. The SIDs of other tries keep repeats apart within it.
FATES = Literal["open", "doubtful", "accepted", "over"]


@dataclass(slots=True)
class Sent:
    """One try.

    Attributes:
        sid: Twilio's id, once known.
        fate: "open" while the call lasts, "doubtful" when its answer was lost, "accepted", "over" when nothing more is to be learned.
        segments: SMS parts.
        looks: How often Twilio was asked about it.
        failed: Some part of it was reported as not delivered.
        doubted_at: When the answer was given up, on the clock's monotonic scale.
    """

    attempt: str
    to: str
    digest: bytes
    began_at: datetime
    segments: int
    sid: str | None = None
    fate: FATES = "open"
    looks: int = 0
    failed: bool = False
    doubted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message as Twilio lists it."""

    sid: str
    to: str
    body: str
    created_at: datetime | None
    status: str
    error_code: int | None


class Recall:
    """The latest tries; the oldest are forgotten first."""

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._kept = kept
        self._by_attempt: OrderedDict[str, Sent] = OrderedDict()
        self._by_sid: dict[str, str] = {}
        self._agenda: list[tuple[float, int, str]] = []
        self._order = count()

    def begin(self, attempt: str, *, to: str, body: str, segments: int, at: datetime) -> Sent:
        """Remember a try whose call begins now."""
        sent = Sent(attempt, to, _digest(body), at, segments)
        self._by_attempt[attempt] = sent
        while len(self._by_attempt) > self._kept:
            _, oldest = self._by_attempt.popitem(last=False)
            self._by_sid.pop(oldest.sid or "", None)
        return sent

    def get(self, attempt: str) -> Sent | None:
        """Return a try, or None if it is forgotten."""
        return self._by_attempt.get(attempt)

    def name(self, sent: Sent, sid: str) -> None:
        """Note which message a try became."""
        sent.sid = sid
        self._by_sid[sid] = sent.attempt

    def plan(self, sent: Sent, at: float) -> None:
        """Have a look at `sent` when the clock's monotonic scale reaches `at`."""
        heapq.heappush(self._agenda, (at, next(self._order), sent.attempt))

    def first(self) -> float | None:
        """Return when the first look is due; None = none is planned."""
        return self._agenda[0][0] if self._agenda else None

    def due(self, now: float, *, limit: int) -> list[Sent]:
        """Take from the agenda what is to be looked at by now."""
        found: list[Sent] = []
        while self._agenda and self._agenda[0][0] <= now and len(found) < limit:
            sent = self._by_attempt.get(heapq.heappop(self._agenda)[2])
            if sent is not None and sent.fate == "accepted":
                found.append(sent)
        return found

    def match(self, sent: Sent, candidates: Sequence[Candidate]) -> Candidate | None:
        """Return the message that `sent` became: its number, its text, made around its time, and no other try's; the oldest of several."""
        fits = [
            one
            for one in candidates
            if one.to == sent.to
            and _digest(one.body) == sent.digest
            and (one.created_at is None or abs(one.created_at - sent.began_at) <= _AROUND)
            and self._by_sid.get(one.sid, sent.attempt) == sent.attempt
        ]
        return min(fits, key=lambda one: one.created_at or sent.began_at, default=None)


def candidate(message: object) -> Candidate:
    """Return what is needed of a message of the library."""
    told = {name: getattr(message, name) for name in ("sid", "to", "body", "status")}
    made = getattr(message, "date_created", None)
    return Candidate(
        **{name: str(value or "") for name, value in told.items()},
        created_at=None if made is None else utc(made),
        error_code=getattr(message, "error_code", None),
    )


def _digest(body: str) -> bytes:
    """Return the text's fingerprint: fifty thousand whole texts would be too much to remember, and a list may trim their ends."""
    return hashlib.blake2b(body.strip().encode("utf-8", "replace"), digest_size=16).digest()
