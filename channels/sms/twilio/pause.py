"""Waiting for something to happen, or for a time, whichever comes first."""

import asyncio

from warnd.clock import Clock


async def pause(clock: Clock, seconds: float | None, *, event: asyncio.Event) -> None:
    """Return after `seconds`, None = never, or as soon as `event` is set."""
    if seconds is None:
        await event.wait()
        return
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(clock.sleep(seconds)), group.create_task(event.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
