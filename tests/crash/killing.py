"""Kills a real daemon, at named points of its work or at random moments, while warnings go through it; and lets it settle at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from tests.crash.centre import Centre, centre, judge
from tests.crash.judge import Tally
from tests.crash.serve import Point
from tests.crash.story import PLANS
from tests.waiting import until

_REACHED_WITHIN_S: Final = 25.0
_SETTLED_WITHIN_S: Final = 240.0
_WHILE_STARTING: Final = 5  # Every so many random kills may come before the daemon serves.


async def at_points(folder: Path, points: Sequence[Point]) -> tuple[Tally, list[Point]]:
    """Kill a daemon at each of these points in turn, in one centre; return what was counted, and the points it never came to."""
    missed: list[Point] = []
    async with _working(folder) as here:
        for point in points:
            served = await here.start(point)
            await _until_dead_or(here, _REACHED_WITHIN_S)
            if served.alive():
                missed.append(point)
                await served.kill()
            _buried(here)
    return judge(here), missed


async def at_random(folder: Path, kills: int, *, chance: Random, longest_s: float = 0.6) -> Tally:
    """Kill a daemon so many times, each time after a random moment of up to `longest_s` of its work."""
    async with _working(folder) as here:
        for number in range(kills):
            served = await here.start(wait=number % _WHILE_STARTING != 0)
            await _until_dead_or(here, chance.uniform(0.0, longest_s))
            await served.kill()
            _buried(here)
    return judge(here)


def _buried(here: Centre) -> None:
    assert here.served is not None
    assert here.served.killed, "it ended by itself; see serve.log"
    here.deaths += 1
    here.look()


async def _until_dead_or(here: Centre, seconds: float) -> None:
    loop, served = asyncio.get_running_loop(), here.served
    enough = loop.time() + seconds
    await until(lambda: served is None or not served.alive() or loop.time() >= enough, timeout_s=seconds + 30)
    if served is not None and not served.alive():
        await served.ended()


@asynccontextmanager
async def _working(folder: Path) -> AsyncIterator[Centre]:
    """Let warnings go through a centre while the block lasts; then let everything come to its end."""
    over = asyncio.Event()
    async with centre(folder, plans=PLANS) as here, asyncio.TaskGroup() as people:
        acting = people.create_task(here.rounds(over.is_set))
        yield here
        over.set()
        await here.start()
        await until(acting.done, timeout_s=_SETTLED_WITHIN_S)
        await until(here.quiet, timeout_s=_SETTLED_WITHIN_S)
        assert here.served is not None
        await here.served.stop()
