"""A clock that stands still, and on which sleepers sleep, until a test moves it; it counts whole microseconds."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

_SETTLE_TURNS = 50


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(_SETTLE_TURNS):
        await asyncio.sleep(0)


class ManualClock:
    """`warnd.clock.Clock` by hand. The monotonic scale starts at 1000 s."""

    def __init__(self, now: datetime = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved the clock so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (round(self._monotonic + seconds, 6), next(self._order), woken))
        await woken

    def set_wall(self, now: datetime) -> None:
        """Set the wall clock as a person would; the monotonic one does not notice."""
        self._now = now

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking sleepers one after the other at their own moments."""
        target = round(self._monotonic + seconds, 6)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            at, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self._move_to(at)
            woken.set_result(None)
            await settle()
        self._move_to(target)
        await settle()

    def _move_to(self, at: float) -> None:
        self._now += timedelta(seconds=max(0.0, at - self._monotonic))
        self._monotonic = max(self._monotonic, at)
