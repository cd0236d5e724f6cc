"""A hundred thousand texts by the whole daemon against the bare library loop.

The daemon claims, renders, posts and records them on SQLite with synchronous=FULL; the loop only posts.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.bench.conftest import SCALE, Table
from tests.bench.country import Country
from tests.bench.house import House, Stopwatch, by_twilio, house
from tests.fleet.centre import until_seldom

pytestmark = pytest.mark.bench

ROUNDS = 5
RECIPIENTS = int(100_000 * SCALE)
BARE = int(20_000 * SCALE)
WINDOW = 50
_HERE = Path(__file__).parent


async def test_a_hundred_thousand_texts(twilio_port: str, tmp_path: Path, table: Table) -> None:
    ours, bare, late = [], [], 0.0
    country = Country(villages=max(20, RECIPIENTS // 50), people=RECIPIENTS)
    async with house(tmp_path, country, more=by_twilio(tmp_path, twilio_port)) as home:
        for number in range(ROUNDS):
            bare.append(await _bare(twilio_port))
            ours.append(await _ours(home, number))
        turns, blocked, late = await home.blocked()
        memory = home.peak_mb()
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    name = f"SMS by the Twilio library, {RECIPIENTS:,} recipients"
    table.add(name, ours, aim="", met=None, unit="/s")
    table.add("  the bare library loop", bare, aim="", met=None, unit="/s")
    table.add("  ratio", ratios, aim=">= 0.7, stretch 0.85", met=sorted(ratios)[len(ratios) // 2] >= 0.7)
    table.add("  turns of the event loop over 50 ms, of a million", [blocked / turns * 1e6], aim="0", met=blocked == 0)
    table.add("  the longest of the last minute", [late * 1000], aim="<= 50 ms", met=late <= 0.05, unit=" ms")
    table.add("  memory at most", [memory], aim="", met=None, unit=" MB")


async def _ours(home: House, number: int) -> float:
    """Release to RECIPIENTS; return texts per second from the release to the last outcome recorded."""
    watch = Stopwatch()
    await home.release(identifier=f"bench-{number}")
    await until_seldom(lambda: _accepted(home) == RECIPIENTS * (number + 1), timeout_s=600)
    return RECIPIENTS / watch.s()


def _accepted(home: House) -> int:
    return home.number("SELECT sum(n) FROM counter WHERE region = '' AND state = 'satisfied'")


async def _bare(url: str) -> float:
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(_HERE / "bare_twilio.py"), url, str(BARE), str(WINDOW), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await script.communicate()
    return BARE / float(told)
