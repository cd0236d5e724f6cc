"""Places for calls to a provider: urgent tries go first, and a few places are kept free for them, for other calls may hang in theirs."""

import asyncio
from collections import deque

from warnd.channel import Outgoing
from warnd.clock import Clock
from warnd.model.level import Level

_KEPT = 10  # One place in so many.


def is_urgent(outgoing: Outgoing) -> bool:
    """Say whether a try may not wait behind others: a Cancel, red and orange."""
    level = outgoing.message.level
    return outgoing.message.kind == "cancel" or (level is not None and level <= Level.ORANGE)


class Places:
    """A bounded number of places; whoever takes one gives it back with `free`."""

    def __init__(self, clock: Clock, *, most: int) -> None:
        self._clock = clock
        self._free = most
        self._kept = most // _KEPT
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def take(self, outgoing: Outgoing) -> bool:
        """Take a place; return False if there is none before the try's `start_by`."""
        line, kept = (self._urgent, 0) if is_urgent(outgoing) else (self._others, self._kept)
        if self._free > kept and not line:
            self._free -= 1
            return True
        wait_s = outgoing.start_by - self._clock.monotonic()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            async with asyncio.timeout(None if wait_s == float("inf") else max(0.0, wait_s)):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # It came in the same moment, and nobody will use it.
                self.free()
            elif turn in line:
                line.remove(turn)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def free(self) -> None:
        """Give a place back: to the first who waits for it, the urgent before the others."""
        self._free += 1
        for line, kept in ((self._urgent, 0), (self._others, self._kept)):
            while line and self._free > kept:
                turn = line.popleft()
                if not turn.done():
                    self._free -= 1
                    turn.set_result(None)
