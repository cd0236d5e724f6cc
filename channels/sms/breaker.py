"""When a gateway is left alone: pure, on a clock that is handed in."""

from collections.abc import Callable
from typing import assert_never

from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome, Unknown

FAILURES = 5
"""In a row, after which a gateway rests; as many as the ledger's patience with a leg."""
_REST_S = 5.0
_REST_MAX_S = 60.0
_PAUSE_S = 2.0  # After "too fast" without a time.


class Breaker:
    """Counts what becomes of one gateway's tries. After a rest, one try at a time shows whether it is back.

    Every try that `admit` let through must come back to `ended`.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._rests = 0
        self._rests_until = float("-inf")  # Because it failed: over as soon as something shows that it works.
        self._asked_until = float("-inf")  # Because it asked for it: what was under way before changes nothing.
        self._trying = False
        self.cause: str | None = None

    def failing(self) -> bool:
        """Say whether the latest tries failed, or it asked for a rest that is not over."""
        return self._rests > 0 or self.resting_s() > 0

    def resting_s(self) -> float:
        """Return for how long nothing is to be tried, in seconds; 0 = now."""
        return max(0.0, max(self._rests_until, self._asked_until) - self._monotonic())

    def ready(self) -> bool:
        """Say whether a try would be admitted now."""
        return self.resting_s() == 0 and not (self._rests and self._trying)

    def admit(self) -> bool:
        """Let a try through, or not."""
        if not self.ready():
            return False
        self._trying = self._rests > 0
        return True

    def ended(self, outcome: Outcome) -> None:
        """Learn from a try."""
        self._trying = False
        if outcome == NOT_STARTED:
            return
        match outcome:
            case Accepted() | Failed(retry="permanent"):  # It works, and knows numbers.
                self._failures, self._rests, self._rests_until = 0, 0, float("-inf")
                self.cause = self.cause if self.resting_s() else None
            case Failed(retry="throttled"):
                asked_s = _PAUSE_S if outcome.retry_after_s is None else outcome.retry_after_s
                self._asked_until = max(self._asked_until, self._monotonic() + asked_s)
                self.cause = outcome.reason
            case Failed() | Unknown():
                self._failures += 1
                if self._failures >= FAILURES:
                    rest_s = min(_REST_MAX_S, _REST_S * 2 ** min(self._rests, 10))
                    self._rests_until = max(self._rests_until, self._monotonic() + rest_s)
                    self._rests += 1
                    self.cause = outcome.reason
            case _:
                assert_never(outcome)
