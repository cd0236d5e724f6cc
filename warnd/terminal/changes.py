"""How the parts of one terminal tell each other that something changed, on the clock that was handed in."""

import asyncio

from warnd.clock import Clock


class Changes:
    """Something changed: look for yourself. Many may wait."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who waits."""
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Return the event of the next change; take it before looking, wait for it after, and no change is missed."""
        return self._next


async def wait_or_sleep(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return when `event` is set or `seconds` have passed on `clock`, whichever is first."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(event.wait())
        sleeping = group.create_task(clock.sleep(seconds))
        waiting.add_done_callback(lambda _: sleeping.cancel())
        sleeping.add_done_callback(lambda _: waiting.cancel())
