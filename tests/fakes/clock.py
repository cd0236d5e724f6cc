"""Clocks for tests: one that stands still until a test moves it, and one that runs fast."""

import asyncio
from datetime import UTC, datetime, timedelta

from warnd.clock import SystemClock

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


class HurriedClock:
    """A `warnd.clock.Clock` that runs several times as fast as the machine's, from the same moment on."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._machine = SystemClock()
        self._began_at, self._began = self._machine.now(), self._machine.monotonic()

    def now(self) -> datetime:
        """Return the hurried wall clock."""
        return self._began_at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the hurried seconds since its start."""
        return (self._machine.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Sleep for as long as `seconds` take on this clock."""
        await self._machine.sleep(seconds / self._speed)
