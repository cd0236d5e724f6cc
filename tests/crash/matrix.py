"""The deaths of the whole matrix: at every point in simulated time, at every named point and at random moments of real processes."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.crash.judge import Tally
from tests.crash.killing import at_points, at_random
from tests.crash.serve import Point
from tests.crash.steps import STEPS
from tests.crash.theatre import Theatre, died, every_name, every_point

_POINTS_EACH: Final = 14  # Of one centre, so that what goes wrong is found near its cause.
_KILLS_EACH: Final = 50
# Steps that a process which runs alone on a store does not take, or that its centre here has no far side for.
_NOT_IN_A_PROCESS: Final = frozenset({"confirmed: email", "time: lapse"})


@dataclass(slots=True)
class Deaths:
    """What deaths of one kind showed.

    Attributes:
        before, after: Step -> how often the daemon died right before and right after it.
        missed: Points that were not reached.
        violations: What was not as it must be.
    """

    tally: Tally = field(default_factory=Tally)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def simulated(folder: Path, *, every: bool = True) -> Deaths:
    """Let the daemon die between every two durable steps of the story, or once before and after each name, in simulated time."""
    theatre, found = Theatre.open(folder), Deaths()
    points, _ = theatre.play()
    for kills in every_point(points) if every else every_name(points):
        try:
            lived, tally = theatre.play(kills)
        except (AssertionError, ExceptionGroup) as wrong:
            found.violations.append(f"killed before {[points[at] for at in kills]}: {wrong!r}")
            continue
        before, after = died(lived, kills)
        found.before.update(before)
        found.after.update(after)
        found.tally.add(tally)
    return found


def named_points() -> list[Point]:
    """Return a point right before and one right after each named step, in the order of a warning's road."""
    names = [name for name in STEPS if name not in _NOT_IN_A_PROCESS]
    return [Point(when, name) for name in names for when in ("before", "after")]


async def named(folder: Path) -> Deaths:
    """Kill a real daemon at every named point."""
    found = Deaths()
    every = named_points()
    for start in range(0, len(every), _POINTS_EACH):
        points = every[start : start + _POINTS_EACH]
        home = folder / f"named{start}"
        home.mkdir()
        try:
            tally, missed = await at_points(home, points)
        except (AssertionError, ExceptionGroup) as wrong:
            found.violations.append(f"killed at one of {[str(one) for one in points]}: {wrong!r}")
            continue
        found.tally.add(tally)
        found.missed += map(str, missed)
        reached = [point for point in points if point not in missed]
        found.before.update(point.name for point in reached if point.when == "before")
        found.after.update(point.name for point in reached if point.when == "after")
    return found


async def random_moments(folder: Path, kills: int, *, seed: int) -> Deaths:
    """Kill a real daemon at so many random moments."""
    found, chance = Deaths(), Random(seed)
    for start in range(0, kills, _KILLS_EACH):
        home = folder / f"random{start}"
        home.mkdir()
        try:
            tally = await at_random(home, min(_KILLS_EACH, kills - start), chance=chance)
        except (AssertionError, ExceptionGroup) as wrong:
            found.violations.append(f"killed at random from the {start + 1}th on, seed {seed}: {wrong!r}")
            continue
        found.tally.add(tally)
    return found
