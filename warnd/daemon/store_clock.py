"""The time that all workers of a shared store live by: the store's.

Leases, deadlines and lives are compared by whoever looks, wherever that is; a worker that went by a clock an hour ahead would take the
others' tries for lapsed, and two texts would go to everyone.
"""

from datetime import datetime, timedelta

import structlog

from warnd.clock import Clock
from warnd.ledger.values import from_ms
from warnd.ledger.workers import Reading

_WORTH_TELLING_S = 2.0
_ROUGH_S = 1.0  # A reading that took longer says less than the machine's own seconds since the last one.

log = structlog.get_logger(__name__)


class StoreClock:
    """The store's clock as it was last read, carried on by the machine's own seconds.

    Attributes:
        off_s: How far the machine's own clock is ahead of the store's; below 0 = behind.
    """

    def __init__(self, own: Clock, reading: Reading) -> None:
        self._own = own
        self._reading = reading
        self._told_s = 0.0
        self.off_s = 0.0
        self._compare()

    def set(self, reading: Reading) -> None:
        """Go on from a newer reading; a store that was promoted may have another clock, and everybody follows it."""
        if reading.took_s <= _ROUGH_S:
            self._reading = reading
        self._compare()

    def now(self) -> datetime:
        """Return the store's time as aware UTC."""
        return from_ms(self._reading.now_ms) + timedelta(seconds=self._own.monotonic() - self._reading.at)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return self._own.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep as the machine's clock does."""
        await self._own.sleep(seconds)

    def _compare(self) -> None:
        self.off_s = (self._own.now() - self.now()).total_seconds()
        if abs(self.off_s - self._told_s) < _WORTH_TELLING_S:
            return
        self._told_s = self.off_s
        if abs(self.off_s) < _WORTH_TELLING_S:
            log.info("machine_clock_right", off_s=round(self.off_s, 1))
            return
        log.warning(
            "machine_clock_wrong",
            off_s=round(self.off_s, 1),
            meaning="warnd goes by the database's clock; certificates, logs and other programs go by this one",
            fix="see to the time service (chrony, systemd-timesyncd) of this machine, or of the database's",
        )
