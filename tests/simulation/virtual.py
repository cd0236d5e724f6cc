"""Simulated time: an event loop whose clock jumps to the next timer as soon as nothing else is left to do.

Everything that waits on the loop (sleeps, time-outs, the bell) passes in no real time and always in the same order.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)  # 08:00 in China.


class _NoWaiting(selectors.DefaultSelector):
    """A selector that turns every wait into a jump of the loop's clock."""

    jumped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("Everything waits for something that will never come: a deadlock in simulated time.")
            self.jumped_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time."""

    def __init__(self) -> None:
        self._jumps = _NoWaiting()
        super().__init__(self._jumps)

    def time(self) -> float:
        """Return simulated seconds since the loop was made."""
        return self._jumps.jumped_s

    def run_in_executor(  # type: ignore[override]  # The same for whoever awaits it.
        self, _executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run it at once: a thread would end at some moment of real time, and simulated time would not wait for it."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            done.set_exception(error)
        return done


async def simulated(seconds: float) -> None:
    """Let seconds of the virtual loop's time pass, which take no real time."""
    await asyncio.sleep(seconds)


class LoopClock:
    """The daemon's clock on a simulated loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime = START) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        """Return simulated wall time, aware UTC."""
        return self._start + timedelta(seconds=self._loop.time())

    def set(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as people and time services do; seconds go on as before."""
        self._start += by

    def monotonic(self) -> float:
        """Return simulated seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep in simulated time."""
        await simulated(seconds)


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end in simulated time and close the loop."""
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
