"""What holds the event loop: documents of two MiB come in while ten thousand are told, and consoles look and listen all the time."""

import asyncio
import math
from pathlib import Path

import httpx
import pytest

from tests.bench.conftest import SCALE, Table
from tests.bench.country import Country
from tests.bench.house import House, by_twilio, house
from tests.fleet.centre import until_seldom
from tests.simulation.documents import document, flood
from warnd.clock import SystemClock

pytestmark = pytest.mark.bench

PEOPLE = int(10_000 * SCALE)
LISTENERS = 20
_CORNERS = 25_000  # Two languages with as many each: just under the two MiB that a document may have.
_PAUSE_S = 0.05
_UNTRIED = "SELECT count(*) FROM leg WHERE channel = 'sms' AND attempts = 0"
_PLANNED = "SELECT count(*) FROM message WHERE stage = 'planned'"
_CAP = {"Content-Type": "application/cap+xml"}


async def test_a_nasty_mix(twilio_port: str, tmp_path: Path, table: Table) -> None:
    country = Country(villages=max(20, PEOPLE // 5), people=PEOPLE, seat_every=17)
    async with house(tmp_path, country, more=by_twilio(tmp_path, twilio_port)) as home:
        large = _large(country)
        turns, blocked, _ = await home.blocked()
        warning = await home.release()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_hand_in(home, large, over))
            group.create_task(_look(home, warning, over))
            listening = [group.create_task(_listen(home, warning)) for _ in range(LISTENERS)]
            await until_seldom(lambda: home.number(_PLANNED) == 1 and home.number(_UNTRIED) == 0, timeout_s=300)
            over.set()
            for each in listening:
                each.cancel()
        turns_then, blocked_then, longest = await home.blocked()
    made, held = turns_then - turns, blocked_then - blocked
    name = f"{PEOPLE:,} texts, {len(large) / 1024**2:.2g} MiB documents, {LISTENERS} streams, consoles"
    table.add(f"{name}: turns over 50 ms", [held], aim="0", met=held == 0)
    table.add("  of so many turns", [made], aim="", met=None)
    table.add("  the longest", [longest * 1000], aim="<= 50 ms", met=longest <= 0.05, unit=" ms")


def _large(country: Country) -> bytes:
    """Return a warning whose area has as many corners as a document has room for."""
    angles = [2 * math.pi * n / _CORNERS for n in range(_CORNERS)]
    ring = [(19 + 0.5 * math.sin(each), 74 + 0.5 * math.cos(each)) for each in angles]
    sent = SystemClock().now().replace(microsecond=0)
    content = document(flood(codes=country.provinces, sent=sent, polygons=((*ring, ring[0]),), identifier="large"))
    assert 2**20 < len(content) < 2**21, len(content)
    return content


async def _hand_in(home: House, large: bytes, over: asyncio.Event) -> None:
    """Have large documents previewed, which is everything that a release does but the release; and broken ones refused."""
    while not over.is_set():
        seen = await home.http.post("/api/v1/warnings/preview", content=large, headers=_CAP)
        assert seen.status_code == httpx.codes.OK, seen.text[:500]
        broken = await home.http.post("/api/v1/warnings", content=large[:-20], headers=_CAP)
        assert broken.status_code == httpx.codes.BAD_REQUEST, broken.text[:500]


async def _look(home: House, warning: str, over: asyncio.Event) -> None:
    paths = [f"/api/v1/warnings/{warning}{what}" for what in ("", "/coverage?limit=1000", "/deliveries?limit=200")]
    while not over.is_set():
        for path in paths:
            answer = await home.http.get(path)
            assert answer.status_code == httpx.codes.OK, answer.text
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=_PAUSE_S)


async def _listen(home: House, warning: str) -> None:
    async with home.http.stream("GET", f"/api/v1/warnings/{warning}/events") as events:
        async for _ in events.aiter_bytes():
            pass
