"""Notices that the machine's wall clock was set, and lets everything that waits move with it before time does anything else.

Only for the one daemon of a file: workers that share a store live by the store's clock.
"""

import structlog

from warnd.clock import Clock
from warnd.ledger import clock_steps
from warnd.ledger.clock_steps import Place
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_STEP_MS = 2_000  # Time servers move a clock in smaller steps than this, and waits bear those.

log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares the wall clock with the monotonic one."""

    def __init__(self, ledger: Ledger, clock: Clock, *, writer: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._writer = writer
        self._offset_ms = self._offset()
        self._by_ms = 0  # Noticed and not followed to the end.
        self._place = Place()

    async def start(self) -> None:
        """Find out whether the clock was set back while nobody served.

        Raises:
            SQLAlchemyError: The store cannot be read or written.
        """
        behind = await self._ledger.read(clock_steps.behind_ms, now_ms=to_ms(self._clock.now()))
        if behind > _STEP_MS:
            self._by_ms = -behind
        await self.settle()

    async def settle(self) -> None:
        """Follow a step of the clock, if there was one.

        Raises:
            SQLAlchemyError: The store cannot be written; the next call goes on where this one stopped.
        """
        offset = self._offset()
        stepped, self._offset_ms = offset - self._offset_ms, offset
        if abs(stepped) > _STEP_MS:
            if self._place != Place():  # A second step while the first is followed: finish that one first.
                await self._follow()
            self._by_ms += stepped
        if self._by_ms:
            await self._follow()

    async def _follow(self) -> None:
        log.warning(
            "clock_stepped",
            by_s=self._by_ms / 1000,
            meaning="waits, leases and deadlines move with it; lives end by the new time",
            fix="let a time service keep this machine's clock",
        )
        place: Place | None = self._place
        while place is not None:
            self._place = place
            stamp = Stamp(to_ms(self._clock.now()), self._writer)
            place = await self._ledger.write(clock_steps.follow, by_ms=self._by_ms, place=place, stamp=stamp)
        self._by_ms, self._place = 0, Place()

    def _offset(self) -> int:
        return to_ms(self._clock.now()) - int(self._clock.monotonic() * 1000)
