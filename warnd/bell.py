"""A bell that wakes whoever waits for the ledger to change. A hint, never a truth: those who wake look for themselves."""

import asyncio


class Bell:
    """Many may wait; one ring wakes them all."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who is waiting now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next ring; return False if none came within `timeout_s`."""
        event = self._event
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        return True
