"""A bell that wakes whoever waits for the ledger to change. A hint, never a truth: those who wake look for themselves."""

import asyncio


class Bell:
    """Many may wait; one ring wakes them all.

    Attributes:
        rings: How often it has rung. Whoever looks at the ledger first notes this, then looks, then waits `since` it: a
            ring that comes while looking is then not missed.
    """

    def __init__(self) -> None:
        self.rings = 0
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who is waiting now."""
        self.rings += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float, *, since: int | None = None) -> bool:
        """Wait for the next ring, or for the first after `since` rings; return False if none came within `timeout_s`."""
        if since is not None and self.rings != since:
            return True
        event = self._event
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        return True
