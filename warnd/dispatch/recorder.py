"""The one recorder: outcomes and receipts from everywhere, committed in groups.

Whoever hands something in returns after its commit, so that no provider hears "received" for what a crash could lose. While one group is
being committed the next one gathers, which makes groups as large as the load demands and no larger.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Outcome, Playback, Presence, Receipt, Reply, Report
from warnd.clock import Clock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import outcomes, playbacks, receipts, terminals, trouble
from warnd.ledger.events import Stamp
from warnd.ledger.outcomes import Tried
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_GROUP_MAX = 500
_RETRY_S = 1.0
_RING_S = 0.05  # While group follows group, whoever hears the bell would look at the store between any two of them.
# A group costs as much as thirty outcomes do. So while many come, and nobody but the daemon itself waits for them, more are waited for.
_MANY = 16
_ENOUGH = 100
_GATHER_S = 0.002
_GATHERINGS = 5

log = structlog.get_logger(__name__)


class NotRecordable(Exception):  # noqa: N818 - named for what is wrong with the receipt
    """The tables cannot take this receipt, however often it is brought."""


@dataclass(slots=True)
class _Entry:
    what: Tried | Receipt
    jitter: float
    done: asyncio.Future[int | None] | None = None
    recorded: Callable[[], None] | None = None

    def ended(self, answer: int | None) -> None:
        """Tell whoever handed it in; who waited may have been cancelled, and the commit stands."""
        if self.recorded is not None:
            self.recorded()
        if self.done is not None and not self.done.done():
            self.done.set_result(answer)


@dataclass(slots=True)
class _Group:
    """What one transaction records, sorted by what it is; order within a kind is the order of arrival."""

    tried: list[Tried] = field(default_factory=list)
    reports: list[receipts.Arrived] = field(default_factory=list)
    played: list[tuple[Playback, float]] = field(default_factory=list)
    presence: list[Presence] = field(default_factory=list)


class Recorder:
    """Takes outcomes and receipts, gives back control after their commit."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        chance: random.Random,
        tag: str,
        writer: str,
        bell: Bell,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._chance = chance
        self._tag = tag
        self._writer = writer
        self._bell = bell
        self._metrics = metrics
        self._trouble: str | None = None
        self._news = False  # Committed, and nobody heard the bell since.
        self._rang_at = float("-inf")
        self._waiting: list[_Entry] = []
        self._smaller = 0  # Size of the next group, after one failed for something in it; 0 = the usual.
        self._arrival = asyncio.Event()
        self._urgent = asyncio.Event()  # Somebody waits for a commit, or enough have gathered for one.
        self._last = 0  # Outcomes in the last group.

    async def receipt(self, receipt: Receipt) -> int | None:
        """Commit one receipt; for a playback return how far its terminal's receipts are kept without a gap."""
        return await self._enter(receipt)

    def problem(self) -> str | None:
        """Return why nothing can be recorded right now, or None."""
        return self._trouble

    async def outcome(self, tried: Tried) -> None:
        """Commit one outcome."""
        await self._enter(tried)

    def hand_in(self, tried: Tried, recorded: Callable[[], None]) -> None:
        """Have one outcome committed, and `recorded` called after that; it must return at once."""
        self._waiting.append(_Entry(tried, self._chance.random(), recorded=recorded))
        self._arrival.set()
        if len(self._waiting) >= _ENOUGH:
            self._urgent.set()

    def tried(
        self, *, leg_no: int, number: int, token: int, outcome: Outcome, parts: int, others: int | None = None
    ) -> Tried:
        """Return an outcome with the chance its back-off may need."""
        return Tried(leg_no, number, token, outcome, parts, self._chance.random(), others)

    async def run(self) -> None:
        """Commit groups until cancelled; what is waiting then is committed first.

        A ledger that cannot commit (a full disk) is tried again and again: nothing that was handed in is dropped, and nobody who
        waits hears that it is safe.
        """
        try:
            while True:
                await self._arrival.wait()
                self._arrival.clear()
                while self._waiting:
                    await self._gather()
                    await self._commit_some()
                    self._tell()
        except asyncio.CancelledError:
            while self._waiting and await self._commit_some():
                pass  # A store that still cannot be written is not waited for: nobody was told that anything is safe.
            raise

    async def _enter(self, what: Tried | Receipt) -> int | None:
        done: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(what, self._chance.random(), done=done))
        self._arrival.set()
        self._urgent.set()
        return await done

    async def _gather(self) -> None:
        """Wait a moment for more outcomes, where as many came just now that it will not be in vain."""
        came = 0
        for _ in range(_GATHERINGS):
            if self._last < _MANY or self._urgent.is_set() or len(self._waiting) == came:
                break
            came = len(self._waiting)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_S):
                    await self._urgent.wait()
        self._urgent.clear()

    async def _commit_some(self) -> bool:
        """Commit the oldest group; return False if the store cannot be written now."""
        size, self._smaller = self._smaller or _GROUP_MAX, 0
        entries, self._waiting = self._waiting[:size], self._waiting[size:]
        stamp = Stamp(to_ms(self._clock.now()), self._writer)
        began = self._clock.monotonic()
        try:
            reached = await self._ledger.write(_record, group=_sorted(entries), tag=self._tag, stamp=stamp)
        except asyncio.CancelledError:
            self._waiting = entries + self._waiting  # To be recorded after all; a second time changes nothing.
            raise
        except (SQLAlchemyError, ValueError, ArithmeticError) as error:
            if trouble.unfit(error):
                self._set_aside(entries, error)
                return True
            self._trouble = f"The store cannot be written: {trouble.told(error)} All of it is kept and tried again."
            log.error("recorder_cannot_commit", waiting=len(entries) + len(self._waiting), error=str(error))
            self._waiting = entries + self._waiting
            await self._clock.sleep(_RETRY_S)
            return False
        self._trouble = None
        self._metrics.commit(self._clock.monotonic() - began)
        kinds = Counter(type(one.what) for one in entries)
        self._last = kinds.pop(Tried, 0)
        self._metrics.receipts(Counter({kind.__name__.lower(): n for kind, n in kinds.items()}))
        answers = iter(reached)
        for entry in entries:
            answer = next(answers) if isinstance(entry.what, Playback) else None
            entry.ended(answer)
        self._news = True
        return True

    def _tell(self) -> None:
        """Ring, if there is news and nothing that will bring more in a moment; a lane that has many places again goes on at once."""
        now = self._clock.monotonic()
        if self._news and (self._last >= _MANY or not self._waiting or now - self._rang_at >= _RING_S):
            self._news, self._rang_at = False, now
            self._bell.ring()

    def _set_aside(self, entries: list[_Entry], error: Exception) -> None:
        """Find the entry that the tables will not take by halving the group: one bad receipt must not hold up the others.

        Alone at last it is given back to whoever brought it; an outcome of ours is left to its lease, which ends as unknown.
        """
        if len(entries) > 1:
            self._smaller = len(entries) // 2
            self._waiting = entries + self._waiting
            return
        entry = entries[0]
        log.error("not_recordable", what=type(entry.what).__name__, error=str(error))
        if isinstance(entry.what, Tried):
            entry.ended(None)
        elif entry.done is not None and not entry.done.done():
            entry.done.set_exception(NotRecordable(str(error)))


def _sorted(entries: Sequence[_Entry]) -> _Group:
    group = _Group()
    for entry in entries:
        match entry.what:
            case Tried():
                group.tried.append(entry.what)
            case Report() | Reply():
                group.reports.append(receipts.Arrived(entry.what, entry.jitter))
            case Playback():
                group.played.append((entry.what, entry.jitter))
            case Presence():
                group.presence.append(entry.what)
    return group


def _record(conn: Connection, *, group: _Group, tag: str, stamp: Stamp) -> list[int]:
    if group.tried:
        learned = outcomes.record(conn, group.tried, stamp=stamp)
        receipts.catch_up(conn, learned, tag=tag, stamp=stamp)
    receipts.apply(conn, group.reports, tag=tag, stamp=stamp)
    terminals.presence(conn, group.presence, stamp=stamp)
    return playbacks.apply(conn, group.played, stamp=stamp)
