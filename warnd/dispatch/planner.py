"""The planner: turns accepted warnings into deliveries, chunk by chunk, most urgent first, and lets others write between two chunks."""

from collections.abc import Callable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.dispatch.quiet import Quiet
from warnd.ledger import batons, planning, trouble
from warnd.ledger.events import Stamp
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_LOOK_S = 1.0
_RETRY_S = 1.0
_BATON = "planning"
_BATON_MS = 2_000
_SMALLEST = 1_024  # The least part of a chunk: a few rows.
_QUICK_S = 1.0  # A store that makes a chunk in this time can be asked for twice as much.

log = structlog.get_logger(__name__)


class Planner:
    """Plans until nothing is left, then waits for the bell."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        means: Means,
        pace: Pace,
        writer: str,
        bell: Bell,
        quiet: Quiet,
        alone: bool = True,
    ) -> None:
        """Take what it works with; `alone` says that nobody else plans on this store, so that nobody takes batons."""
        self._ledger = ledger
        self._clock = clock
        self._means = means
        self._pace = pace
        self._writer = writer
        self._bell = bell
        self._quiet = quiet
        self._alone = alone
        self._part = 1  # Chunks are so many times smaller since the store last refused one.
        self._trouble: str | None = None

    def problem(self) -> str | None:
        """Return why nothing can be planned right now, or None."""
        return self._trouble

    async def run(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Plan until cancelled, or until `stopping` says so between two chunks."""
        while not stopping():
            rings = self._bell.rings
            if not await self.step():
                await self._bell.wait(self._quiet.pause_s(_LOOK_S), since=rings)

    async def step(self) -> bool:
        """Make one chunk; return False if there was nothing to plan."""
        stamp = Stamp(to_ms(self._clock.now()), self._writer)
        began = self._clock.monotonic()
        try:
            if not await self._ledger.read(_called_for, stamp=stamp, alone=self._alone):
                self._trouble = None  # Another worker may have planned what this one could not.
                return False
            pace = self._pace.part(self._part)
            message_id = await self._ledger.write(_step, means=self._means, pace=pace, stamp=stamp, alone=self._alone)
        except SQLAlchemyError as error:
            # What a store bounds (time for a statement, memory, disk) may be enough for less.
            self._part = min(2 * self._part, _SMALLEST)
            self._trouble = f"Deliveries cannot be planned: {trouble.told(error)} Planning goes on where it stopped."
            log.error("planning_failed", error=str(error))
            await self._clock.sleep(_RETRY_S)
            return False
        self._trouble = None
        if self._clock.monotonic() - began < _QUICK_S:
            self._part = max(1, self._part // 2)
        if message_id is None:
            return False
        self._bell.ring()
        return True


def _called_for(conn: Connection, *, stamp: Stamp, alone: bool) -> bool:
    return planning.anything(conn) and (alone or batons.free(conn, what=_BATON, stamp=stamp))


def _step(conn: Connection, *, means: Means, pace: Pace, stamp: Stamp, alone: bool) -> str | None:
    """Make a chunk; among several workers one plans until nothing is left, or until it dies.

    Four planners with their chunks in line for the store would hold up every claim four times as long as one.
    """
    if not alone and not batons.take(conn, what=_BATON, hold_ms=_BATON_MS, stamp=stamp):
        return None
    message_id = planning.step(conn, means=means, pace=pace, stamp=stamp)
    if not alone and not planning.anything(conn):
        batons.give_up(conn, what=_BATON, stamp=stamp)
    return message_id
