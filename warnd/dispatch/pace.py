"""How fast a lane goes in this worker: places for tries under way, and an estimate of the tokens that all workers share.

The truth about tokens is in the ledger, and a claim takes no more than there are; the estimate only saves claims that would find none.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from warnd.ledger.allotment import SLICE_MS, Room

_RESERVE = 4  # One place in so many is kept free for urgent tries: others may hang in theirs for half a minute.
_LEAST_SHARE = (
    4  # Of a lane's places must be free before it claims again: few large claims cost less than many small ones.
)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How fast a lane may go.

    Attributes:
        rate_per_s: Segments (or publishes) per second, over all workers.
        concurrency: Tries under way at once in one worker.
        send_within_s: After which a try without an outcome counts as unknown.
    """

    rate_per_s: float = 100.0
    concurrency: int = 50
    send_within_s: float = 30.0


class Places:
    """Tries under way, in all and by sender.

    Cancels may begin beyond the lane's concurrency, by as many as are kept free for urgent tries: those may hang, too.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._reserve = concurrency // _RESERVE
        self._by: Counter[str] = Counter()
        self._all = 0

    def take(self, sender: str) -> None:
        """Begin a try."""
        self._by[sender] += 1
        self._all += 1

    def free(self, sender: str) -> None:
        """End a try."""
        self._by[sender] -= 1
        self._all -= 1

    def under_way(self, sender: str) -> int:
        """Return how many tries of one sender are under way."""
        return self._by[sender]

    def room(self) -> Room:
        """Return how many tries may be begun now."""
        urgent = self._concurrency - self._all
        extra = max(1, self._reserve)
        return Room(max(0, urgent + extra), max(0, urgent), max(0, urgent - self._reserve))

    def worth_while(self, room: Room) -> bool:
        """Say whether so much room is worth a claim of ordinary tries; urgent ones are worth it at any."""
        return room.ordinary >= max(1, (self._concurrency - self._reserve) // _LEAST_SHARE)


class Purse:
    """This worker's estimate of a lane's tokens, in segments, on the clock's monotonic scale."""

    def __init__(self, rate_per_s: float, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._most = max(1.0, rate_per_s * SLICE_MS / 1000)
        self._credit = self._most
        self._at = now
        self._spent: Counter[str] = Counter()

    def tokens(self, now: float) -> int:
        """Return how many segments may go out now."""
        self._credit = min(self._most, self._credit + (now - self._at) * self._rate_per_s)
        self._at = now
        return int(self._credit)

    def took(self, tries: int) -> None:
        """Note what a claim took, at one segment each; none means that others were faster."""
        self._credit = self._credit - tries if tries else min(self._credit, 0.0)

    def cost(self, sender: str, beyond: int) -> None:
        """Note what rendered tries cost beyond one segment each, or less than that where there were none."""
        self._credit -= beyond
        self._spent[sender] += beyond

    def settle(self, senders: Iterable[str]) -> dict[str, int]:
        """Return what each sender's tries cost beyond what was claimed for them, once: the ledger is told now."""
        return {name: self._spent.pop(name, 0) for name in senders}

    def owe(self, told: dict[str, int]) -> None:
        """Take back what the ledger could not be told."""
        self._spent.update(told)

    def wait_s(self) -> float:
        """Return how long it takes until a segment may go out again; 0 = now."""
        missing = 1.0 - self._credit
        return max(missing / self._rate_per_s, 0.01) if missing > 0 else 0.0
