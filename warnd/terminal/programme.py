"""The order in which plays sound and how each goes on after a pass (DESIGN §9: level, then newest).

Counts and orders only; what is reported about it is `broadcast`'s.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from warnd.clock import Clock
from warnd.model.loudspeaker import DRILL_ROOT
from warnd.terminal.chains import Chains, Known, Progress
from warnd.terminal.timekeeping import Timekeeper

RETRY_S: Final = 30.0
RETRY_MAX_S: Final = 600.0
LOOK_AGAIN_S: Final = 60.0  # A machine's clock may be set meanwhile, which no event tells.


class Programme:
    """Decides what sounds next."""

    def __init__(self, chains: Chains, *, clock: Clock, time: Timekeeper) -> None:
        self._chains = chains
        self._clock = clock
        self._time = time
        for known in chains.all():
            if known.open:
                chains.put(replace(known, progress=self._resumed(known)))

    def _resumed(self, known: Known) -> Progress:
        """Return the progress of a play after a restart: a broken round goes on at once, the next one keeps its time."""
        progress = known.progress
        if progress.passes == 0 or progress.in_round > 0:
            return replace(progress, due=0.0)
        time = self._time.known()
        every_s = None if known.play is None else known.play.every_s
        if every_s is None:
            return replace(progress, due=math.inf)
        if progress.due_at is None or time is None:
            return replace(progress, due=self._clock.monotonic() + every_s)
        return replace(progress, due=self._clock.monotonic() + (progress.due_at - time).total_seconds())

    def due(self) -> Known | None:
        """Return the play whose pass comes next; None = none is due."""
        now = self._clock.monotonic()
        return min((known for known in self._alive() if known.progress.due <= now), key=_order, default=None)

    def _alive(self) -> Iterable[Known]:
        return (
            known
            for known in self._chains.all()
            if known.open and known.life is not None and self._time.alive(known.life)
        )

    def expired(self) -> list[Known]:
        """Return the open plays whose life is over."""
        return [
            known
            for known in self._chains.all()
            if known.open and known.life is not None and self._time.over(known.life)
        ]

    def idle_s(self) -> float:
        """Return for how long nothing happens unless something arrives."""
        now = self._clock.monotonic()
        waits = [LOOK_AGAIN_S]
        for known in self._alive():
            assert known.life is not None
            waits += [known.progress.due - now, self._time.remaining_s(known.life)]
        return max(0.0, min(waits))

    def after_pass(self, known: Known, played_ms: int, *, heard: bool) -> Known:
        """Return a play after one more whole pass; `heard` = its amplifier was not known to be at fault."""
        before = known.progress
        progress = replace(
            before,
            passes=before.passes + 1,
            sounded=before.sounded + heard,
            in_round=before.in_round + 1,
            played_ms=before.played_ms + played_ms,
            failures=0,
        )
        if progress.in_round < known.repeat:
            return replace(known, progress=progress)
        every_s = None if known.play is None else known.play.every_s
        if every_s is None:
            return replace(known, progress=replace(progress, in_round=0, due=math.inf, due_at=None))
        return replace(known, progress=self._later(replace(progress, in_round=0), every_s))

    def after_break(self, known: Known, played_ms: int) -> Known:
        """Return a play after a pass that was cut off; the pass is owed."""
        return replace(known, progress=replace(known.progress, played_ms=known.progress.played_ms + played_ms))

    def after_failure(self, known: Known, played_ms: int) -> Known:
        """Return a play after a pass that could not be sounded: tried again later, ever more slowly."""
        progress = replace(
            known.progress, played_ms=known.progress.played_ms + played_ms, failures=known.progress.failures + 1
        )
        return replace(known, progress=self._later(progress, min(RETRY_MAX_S, RETRY_S * 2 ** (progress.failures - 1))))

    def _later(self, progress: Progress, seconds: float) -> Progress:
        time = self._time.known()
        due_at = None if time is None else time + timedelta(seconds=seconds)
        return replace(progress, due=self._clock.monotonic() + seconds, due_at=due_at)


def _order(known: Known) -> tuple[bool, int, float]:
    """Live before drill, then the graver level, then the newest."""
    assert known.play is not None
    assert known.play.level is not None
    assert known.play.issued_at is not None
    return known.root == DRILL_ROOT, known.play.level, -known.play.issued_at.timestamp()
