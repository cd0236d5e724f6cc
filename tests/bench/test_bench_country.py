"""A million people in 620,000 villages: planned, seen while they are being told, held in memory, and taken up again after kill -9."""

import asyncio
from pathlib import Path
from statistics import quantiles

import pytest

from tests.bench.conftest import SCALE, Table
from tests.bench.country import Country
from tests.bench.house import House, Stopwatch, by_twilio, house
from tests.fleet.centre import until_seldom

pytestmark = pytest.mark.bench

COUNTRY = Country(villages=int(620_000 * SCALE), people=int(1_000_000 * SCALE), seat_every=17)
LOOKS = 200
_PLANNED = "SELECT count(*) FROM message WHERE stage = 'planned'"
_CLAIMED = "SELECT max(no) FROM attempt"


async def test_a_country(twilio_port: str, tmp_path: Path, table: Table) -> None:
    more = by_twilio(tmp_path, twilio_port)
    async with house(tmp_path, COUNTRY, more=more) as home:
        before = home.rss_mb()
        warning = await home.release()
        status, coverage = await _looked_at(home, warning)
        await until_seldom(lambda: home.number(_PLANNED) == 1, timeout_s=600)
        turns, blocked, longest = await home.blocked()
        peak, opened = home.peak_mb(), home.number("SELECT sum(n) FROM counter WHERE region = '' AND state = 'open'")
        await home.served.kill()
    name = f"{COUNTRY.people:,} people in {COUNTRY.villages:,} villages"
    table.add(f"{name}: memory at most", [peak], aim="<= 300 MB", met=peak <= 300, unit=" MB")
    table.add("  of which before the release", [before], aim="", met=None, unit=" MB")
    table.add("  status while it is planned and sent, p99", [status], aim="<= 100 ms", met=status <= 100, unit=" ms")
    table.add("  coverage, p99", [coverage], aim="<= 100 ms", met=coverage <= 100, unit=" ms")
    table.add("  turns over 50 ms, of a million", [blocked / turns * 1e6], aim="0", met=blocked == 0)
    table.add("  the longest of the last minute", [longest * 1000], aim="<= 50 ms", met=longest <= 0.05, unit=" ms")
    if not opened:
        table.skip("start with open deliveries", "all were sent before it was killed; use a larger BENCH_SCALE")
        return
    claimed = home.number(_CLAIMED)
    watch = Stopwatch()
    async with house(tmp_path, COUNTRY, more=more, settled=True) as home:
        answered_s = watch.s()
        await until_seldom(lambda: home.number(_CLAIMED) > claimed, timeout_s=60)
        first_claim_s = watch.s()
    table.add(
        f"start with {opened:,} open: first claim", [first_claim_s], aim="<= 2 s", met=first_claim_s <= 2, unit=" s"
    )
    table.add("  of which until it answers", [answered_s], aim="", met=None, unit=" s")


async def _looked_at(home: House, warning: str) -> tuple[float, float]:
    """Look at status and coverage again and again, as a console does; return the 99th percentile of each in milliseconds."""
    times: dict[str, list[float]] = {
        f"/api/v1/warnings/{warning}": [],
        f"/api/v1/warnings/{warning}/coverage?limit=100": [],
    }
    for _ in range(LOOKS):
        for path, took in times.items():
            watch = Stopwatch()
            answer = await home.http.get(path)
            took.append(watch.s() * 1000)
            assert answer.status_code == 200, answer.text
        await asyncio.wait(
            [asyncio.get_running_loop().create_future()], timeout=0.05
        )  # Five looks in a second are a busy console.
    status, coverage = (quantiles(took, n=100)[98] for took in times.values())
    return status, coverage
