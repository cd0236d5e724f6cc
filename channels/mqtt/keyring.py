"""The public keys of terminals, remembered for a moment: a fleet that comes back reports thousands of times within seconds.

It never knows better than the directory for longer than `KEPT_S`, so that a revoked key is refused that soon.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from warnd.clock import Clock

KEPT_S = 30.0
_KEPT_MAX = 20_000  # Terminals; whoever invents ids must not fill the memory.


class Keyring:
    """Looks keys up, each at most once in `KEPT_S`; unknown terminals are looked up every time.

    Args:
        look_up: Terminal id -> its key, None = unknown.
        older: Terminal id -> keys that were rotated away and are still believed; asked only when the key does not fit.
    """

    def __init__(
        self,
        look_up: Callable[[str], Awaitable[bytes | None]],
        older: Callable[[str], Awaitable[Sequence[bytes]]],
        clock: Clock,
    ) -> None:
        self.older = older
        self._look_up = look_up
        self._clock = clock
        self._kept: dict[str, tuple[bytes, float]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def find(self, terminal: str) -> bytes | None:
        """Return a terminal's raw public key, or None if it is unknown. Who asks first is answered first."""
        key = self._fresh(terminal)
        if key is not None:
            return key
        async with self._asking.setdefault(terminal, asyncio.Lock()):
            try:
                return self._fresh(terminal) or await self._ask(terminal)
            finally:
                self._asking.pop(terminal, None)

    def _fresh(self, terminal: str) -> bytes | None:
        key, until = self._kept.get(terminal, (None, 0.0))
        return key if self._clock.monotonic() < until else None

    async def _ask(self, terminal: str) -> bytes | None:
        key = await self._look_up(terminal)
        if key is None:
            self._kept.pop(terminal, None)
            return None
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        self._kept[terminal] = (key, self._clock.monotonic() + KEPT_S)
        return key
