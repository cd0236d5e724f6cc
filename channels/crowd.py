"""Many tries under way at once, each in a place of its own, owned by the channel's `run`. Knows nothing of what a try does."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from channels.places import Places
from warnd.channel import NOT_STARTED, Outcome, Outgoing, Unknown
from warnd.clock import Clock

log = structlog.get_logger(__name__)


class Crowd:
    """Lets tries wait for a place no longer than they may, and a caller that leaves early leaves nothing half done."""

    def __init__(self, clock: Clock, *, places: int) -> None:
        self._clock = clock
        self._places = Places(clock, most=places)
        self._group: asyncio.TaskGroup | None = None

    @property
    def is_open(self) -> bool:
        """Whether tries are taken."""
        return self._group is not None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take tries for as long as the block lasts; those under way at its end are given up."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None

    async def each(
        self, batch: Sequence[Outgoing], attempt: Callable[[Outgoing], Awaitable[Outcome]]
    ) -> AsyncIterator[tuple[int, Outcome]]:
        """Yield (index, outcome) of each try as it comes."""
        results: asyncio.Queue[tuple[int, Outcome]] = asyncio.Queue()
        for index, outgoing in enumerate(batch):
            if self._group is None:
                results.put_nowait((index, NOT_STARTED))
            else:
                self._group.create_task(self._one(index, outgoing, attempt, results))
        for _ in batch:
            yield await results.get()

    async def _one(
        self,
        index: int,
        outgoing: Outgoing,
        attempt: Callable[[Outgoing], Awaitable[Outcome]],
        results: asyncio.Queue[tuple[int, Outcome]],
    ) -> None:
        outcome: Outcome = NOT_STARTED
        try:
            if self._clock.monotonic() <= outgoing.start_by and await self._places.take(outgoing):
                outcome = Unknown("the channel stopped")
                try:
                    outcome = await attempt(outgoing)
                finally:
                    self._places.free()
        except Exception as error:  # noqa: BLE001 - the edge to other people's code: one bad try must not end the others
            # Where, but not with what: values there are addresses and keys.
            frames = traceback.extract_tb(error.__traceback__)
            where = [f"{frame.filename}:{frame.lineno}" for frame in frames]
            log.error("try_broke", attempt=outgoing.attempt, error=type(error).__name__, where=where)
            outcome = Unknown(f"it broke: {type(error).__name__}")
        finally:
            results.put_nowait((index, outcome))
