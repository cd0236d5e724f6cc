"""One look at the ledger for all lanes. Every commit wakes all of them, and so does every second; most have nothing to do."""

import asyncio
from collections.abc import Sequence

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.ledger import looks
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_FRESH_S = 0.02  # Lanes that wake in the same moment share a look; what becomes due by time alone is seen so much later at most.


class Lookout:
    """Says whether anything is due in a lane."""

    def __init__(self, ledger: Ledger, clock: Clock, *, bell: Bell, lanes: Sequence[str]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bell = bell
        self._lanes = tuple(lanes)
        self._looking = asyncio.Lock()
        self._rings = -1
        self._began = float("-inf")
        self._due: frozenset[str] = frozenset()

    async def due(self, lane: str) -> bool:
        """Say whether anything is due in a lane, by a look that began after the last ring before this was asked.

        Raises:
            SQLAlchemyError: The ledger does not answer.
        """
        rings, asked_at = self._bell.rings, self._clock.monotonic()
        async with self._looking:
            if self._rings < rings or self._began < asked_at - _FRESH_S:
                rings, began = self._bell.rings, self._clock.monotonic()
                self._due = await self._ledger.read(looks.due_lanes, lanes=self._lanes, now_ms=to_ms(self._clock.now()))
                self._rings, self._began = rings, began
            return lane in self._due
