"""What time does: lives end, leases lapse, silence is broken, deadlines pass, finished warnings complete; in that order."""

import random
from collections.abc import Callable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.dispatch.clock_watch import ClockWatch
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.quiet import Quiet
from warnd.ledger import deliveries, leases, silence, workers
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.ledger.workers import Gone

_TICK_S = 0.5
_QUIET_TICK_S = 1.0
_CHUNK = 1_000

log = structlog.get_logger(__name__)

Lapsed = list[tuple[int, int, str]]


class Clockwork:
    """Runs the passes of time, and hands attempts whose fate is unknown on to be asked about."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        lookups: Lookups,
        quiet: Quiet,
        chance: random.Random,
        writer: str,
        bell: Bell,
        alone: bool = True,
        silent_before_ms: Callable[[], int | None] = lambda: None,
        bury: Callable[[Gone], None] = lambda _gone: None,
    ) -> None:
        """Take what it works with.

        `alone`: nobody else serves this store. `silent_before_ms`: if others do, since when one that was not seen is dead; None = nobody
        can tell now. `bury`: told of each that was found dead.
        """
        self._ledger = ledger
        self._clock = clock
        self._lookups = lookups
        self._quiet = quiet
        self._chance = chance
        self._writer = writer
        self._bell = bell
        self._alone = alone
        self._silent_before_ms = silent_before_ms
        self._bury = bury
        self._watch = ClockWatch(ledger, clock, writer=writer) if alone else None

    async def start(self) -> None:
        """Take over from whoever ran on this store before: attempts that were under way become unknown and are asked about.

        Where others may be at work, only what nobody can still be doing. A question that two of them ask costs nothing.
        """
        if self._watch is not None:
            await self._watch.start()
        await self._ledger.write(leases.lapse, stamp=self._stamp(), everyone=self._alone)
        await self._lookups.start()

    async def run(self) -> None:
        """Run a pass every half second, or every second while it is quiet, until cancelled.

        What is overdue after downtime happens once, in the first pass.
        """
        while True:
            try:
                await self.tick()
                await self._quiet.look()
            except SQLAlchemyError as error:
                log.error("clockwork_failed", error=str(error))
            await self._clock.sleep(_QUIET_TICK_S if self._quiet.reigns else _TICK_S)

    async def tick(self) -> None:
        """Run one pass, if anything is overdue."""
        if self._watch is not None:
            await self._watch.settle()
        before_ms = self._silent_before_ms()
        if not await self._ledger.read(_called_for, stamp=self._stamp(), silent_before_ms=before_ms):
            return
        jitter = self._chance.random()
        lapsed, moved, gone = await self._ledger.write(
            _pass, jitter=jitter, stamp=self._stamp(), silent_before_ms=before_ms
        )
        if moved:
            self._bell.ring()
        for one in gone:
            self._bury(one)
        if gone:
            await self._lookups.start()  # What the dead had in doubt and can no longer ask about.
        for leg_no, number, channel in lapsed:
            self._lookups.doubt(channel, leg_no, number)

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._writer)


def _called_for(conn: Connection, *, stamp: Stamp, silent_before_ms: int | None) -> bool:
    if silent_before_ms is not None and workers.any_silent(conn, before_ms=silent_before_ms, writer=stamp.writer):
        return True
    return silence.overdue(conn, now_ms=stamp.now_ms)


def _pass(
    conn: Connection, *, jitter: float, stamp: Stamp, silent_before_ms: int | None
) -> tuple[Lapsed, bool, list[Gone]]:
    gone = [] if silent_before_ms is None else workers.bury(conn, before_ms=silent_before_ms, stamp=stamp)
    expired = silence.expire(conn, stamp=stamp)
    lapsed = leases.lapse(conn, stamp=stamp, everyone=False, gone=[one.writer for one in gone])
    broken = silence.break_silence(conn, limit=_CHUNK, jitter=jitter, stamp=stamp)
    breached = deliveries.mark_breaches(conn, limit=_CHUNK, stamp=stamp)
    completed = silence.complete(conn, stamp=stamp)
    return lapsed, bool(expired or lapsed or broken or breached or completed), gone
