"""The event loop and how long each of its turns holds it: while one runs, nobody else is served. Changes nothing about what runs.

A turn is everything between two waits for sockets and timers, measured where the loop waits, so none is missed. Once one was too long, a
thread looks for a while at what holds the loop, so that the next one can be named.
"""

import asyncio
import selectors
import sys
import threading
import time
import traceback
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import structlog
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

TOO_LONG_S = 0.05
_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, TOO_LONG_S, 0.1, 0.25, 1.0, 5.0)
_WINDOW_S = 30.0  # The longest turn is that of this window and the one before it.
_WATCHED_S = 15.0  # After a turn that was too long.
_LOOK_S = 0.02
_TOLD_EVERY_S = 10.0  # At most, or a machine that is too busy would be busy with saying so.
_FRAMES = 8

log = structlog.get_logger(__name__)


class Turns:
    """How long the turns of one event loop took; a collector of Prometheus."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS_S) + 1)
        self._sum = self._longest = self._longest_before = 0.0
        self._window_ends_at = 0.0
        self._began: float | None = None
        self._cpu_began = 0.0
        self._watch: _Watch | None = None
        self._told_at = float("-inf")
        self._untold = 0

    @property
    def began(self) -> float | None:
        """When the present turn began, on the machine's monotonic scale; None = the loop waits."""
        return self._began

    def begin(self) -> None:
        """Tell that a turn begins."""
        self._cpu_began = time.thread_time()
        self._began = time.monotonic()

    def end(self) -> None:
        """Tell that the turn is over, if there was one."""
        if self._began is None:
            return
        now = time.monotonic()
        took, self._began = now - self._began, None
        self._counts[bisect_left(_BUCKETS_S, took)] += 1
        self._sum += took
        if now >= self._window_ends_at:
            self._window_ends_at = now + _WINDOW_S
            self._longest_before, self._longest = self._longest, 0.0
        self._longest = max(self._longest, took)
        if took > TOO_LONG_S:
            self._too_long(now, took)

    def collect(self) -> Iterator[Metric]:
        """Yield the numbers, as the registry asks for them."""
        counts = list(accumulate(self._counts))
        names = [*(str(edge) for edge in _BUCKETS_S), "+Inf"]
        yield HistogramMetricFamily(
            "warnd_loop_blocked_seconds",
            "How long each turn of the event loop held it.",
            buckets=list(zip(names, counts, strict=True)),
            sum_value=self._sum,
        )
        yield GaugeMetricFamily(
            "warnd_loop_lag_seconds",
            "The longest that the event loop was held in the last half to whole minute.",
            value=max(self._longest, self._longest_before),
        )

    def _too_long(self, now: float, took: float) -> None:
        doing = self._watch.seen() if self._watch is not None else None
        if self._watch is None or not self._watch.is_alive():
            self._watch = _Watch(self, threading.get_ident(), until=now + _WATCHED_S)
            self._watch.start()
        self._watch.until = now + _WATCHED_S
        self._untold += 1
        if now - self._told_at >= _TOLD_EVERY_S:
            cpu_s = (
                time.thread_time() - self._cpu_began
            )  # Far less than it took: the machine, not this turn, was too slow.
            log.warning(
                "event_loop_held", seconds=round(took, 3), own_cpu_s=round(cpu_s, 3), times=self._untold, doing=doing
            )
            self._told_at, self._untold = now, 0


class _Watch(threading.Thread):
    """Looks at what holds the loop; ends by itself when the loop has been swift for a while."""

    def __init__(self, turns: Turns, loop_thread: int, *, until: float) -> None:
        super().__init__(name="loop-watch", daemon=True)
        self.until = until
        self._turns = turns
        self._loop_thread = loop_thread
        self._seen: str | None = None

    def run(self) -> None:
        """Look until nothing was too long for a while."""
        pause = threading.Event()
        while time.monotonic() < self.until:
            pause.wait(_LOOK_S)
            began = self._turns.began
            if began is not None and time.monotonic() - began > TOO_LONG_S / 2 and self._seen is None:
                self._seen = self._stack()

    def seen(self) -> str | None:
        """Return what held the loop in the turn that ends now, the innermost call last; None = it was not seen."""
        seen, self._seen = self._seen, None
        return seen

    def _stack(self) -> str | None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the one way to see another thread's stack
        if frame is None:
            return None
        inner = traceback.extract_stack(frame)[-_FRAMES:]
        return " > ".join(f"{each.filename.rsplit('/', 1)[-1]}:{each.lineno} {each.name}" for each in inner)


class _Selector(selectors.DefaultSelector):
    """The selector of an event loop that tells when the loop waits and when it is held."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns.end()
        ready = super().select(timeout)
        self._turns.begin()
        return ready


def measured_loop(turns: Turns) -> asyncio.AbstractEventLoop:
    """Return a new event loop whose turns are measured."""
    return asyncio.SelectorEventLoop(_Selector(turns))
