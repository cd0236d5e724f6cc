"""What time does: lives end, leases lapse, silence is broken, deadlines pass, finished warnings complete; in that order."""

import random

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.dispatch.lookups import Lookups
from warnd.ledger import deliveries, leases, silence
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_TICK_S = 0.5
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
        chance: random.Random,
        writer: str,
        bell: Bell,
        alone: bool = True,
    ) -> None:
        """Take what it works with; `alone` says that nobody else serves this store."""
        self._ledger = ledger
        self._clock = clock
        self._lookups = lookups
        self._chance = chance
        self._writer = writer
        self._bell = bell
        self._alone = alone

    async def start(self) -> None:
        """Take over from whoever ran on this store before: attempts that were under way become unknown and are asked about."""
        await self._ledger.write(leases.lapse, stamp=self._stamp(), everyone=self._alone)
        await self._lookups.start()

    async def run(self) -> None:
        """Run a pass every half second until cancelled; what is overdue after downtime happens once, in the first pass."""
        while True:
            try:
                await self.tick()
            except SQLAlchemyError as error:
                log.error("clockwork_failed", error=str(error))
            await self._clock.sleep(_TICK_S)

    async def tick(self) -> None:
        """Run one pass, if anything is overdue."""
        if not await self._ledger.read(silence.overdue, now_ms=to_ms(self._clock.now())):
            return
        jitter = self._chance.random()
        lapsed, moved = await self._ledger.write(_pass, jitter=jitter, stamp=self._stamp())
        if moved:
            self._bell.ring()
        for leg_no, number, channel in lapsed:
            self._lookups.doubt(channel, leg_no, number)

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._writer)


def _pass(conn: Connection, *, jitter: float, stamp: Stamp) -> tuple[Lapsed, bool]:
    expired = silence.expire(conn, stamp=stamp)
    lapsed = leases.lapse(conn, stamp=stamp, everyone=False)
    broken = silence.break_silence(conn, limit=_CHUNK, jitter=jitter, stamp=stamp)
    breached = deliveries.mark_breaches(conn, limit=_CHUNK, stamp=stamp)
    completed = silence.complete(conn, stamp=stamp)
    return lapsed, bool(expired or lapsed or broken or breached or completed)
