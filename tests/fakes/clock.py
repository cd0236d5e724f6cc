"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)


class HandClock:
    """A `warnd.clock.Clock` moved by hand; who sleeps on it moves it, too, and lets others run."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed_s = 0.0

    def now(self) -> datetime:
        """Return the time as moved so far."""
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Return the seconds moved so far."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._passed_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the clock forward and yield once."""
        self.advance(seconds)
        await asyncio.sleep(0)
