"""The clock that is handed in everywhere, so that the whole daemon can run in simulated time.

Nothing below the composition root asks the machine for the time; it asks the `Clock` it was given.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the daemon knows of time."""

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never steps back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause the calling task for `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's own clock; made only by the composition root and the command line."""

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this class is where the machine's clock enters

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(seconds)
