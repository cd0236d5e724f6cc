"""The planner: turns accepted warnings into deliveries, chunk by chunk, most urgent first, and lets others write between two chunks."""

from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.ledger import planning
from warnd.ledger.events import Stamp
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_LOOK_S = 1.0
_RETRY_S = 1.0

log = structlog.get_logger(__name__)


class Planner:
    """Plans until nothing is left, then waits for the bell."""

    def __init__(self, ledger: Ledger, clock: Clock, *, means: Means, pace: Pace, writer: str, bell: Bell) -> None:
        self._ledger = ledger
        self._clock = clock
        self._means = means
        self._pace = pace
        self._writer = writer
        self._bell = bell
        self._trouble: str | None = None

    def problem(self) -> str | None:
        """Return why nothing can be planned right now, or None."""
        return self._trouble

    async def run(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Plan until cancelled, or until `stopping` says so between two chunks."""
        while not stopping():
            if not await self.step():
                await self._bell.wait(_LOOK_S)

    async def step(self) -> bool:
        """Make one chunk; return False if there was nothing to plan."""
        stamp = Stamp(to_ms(self._clock.now()), self._writer)
        try:
            if not await self._ledger.read(planning.anything):
                return False
            message_id = await self._ledger.write(planning.step, means=self._means, pace=self._pace, stamp=stamp)
        except SQLAlchemyError as error:
            self._trouble = (
                f"Deliveries cannot be planned: {error}. See to the store; planning goes on where it stopped."
            )
            log.error("planning_failed", error=str(error))
            await self._clock.sleep(_RETRY_S)
            return False
        self._trouble = None
        if message_id is None:
            return False
        self._bell.ring()
        return True
