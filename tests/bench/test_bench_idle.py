"""What a quiet night costs: a daemon with texts, mail, loudspeakers and pages switched on, and nothing to tell anybody."""

import asyncio
from pathlib import Path

import pytest

from tests.bench.conftest import Table
from tests.bench.country import Country
from tests.bench.house import Stopwatch, house
from tests.fakes.broker import needs_mosquitto, running_broker
from tests.fakes.loudspeaker import LIVE_KEY
from warnd.model.loudspeaker import private_key_pem

pytestmark = [pytest.mark.bench, needs_mosquitto]

ROUNDS = 5
SETTLED_S = 70.0  # Past the start, the looks of the watch of the loop, and the minute in which channels look often for what comes in.
ROUND_S = 12.0
_CHANNELS = """
[sms]
provider = "spool"
spool.dir = "spool"
[email]
host = "127.0.0.1"
port = 9
start_tls = false
sender = "warn@county.example"
[mqtt]
port = {mqtt}
username = "warnd"
password_file = "mqtt-password"
signing_key_file = "live.pem"
"""


async def test_a_quiet_night(tmp_path: Path, table: Table) -> None:
    (tmp_path / "mqtt-password").write_text("centre", "utf-8")
    (tmp_path / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    with running_broker(tmp_path, users={"warnd": "centre"}, verbose=False) as broker:
        more = _CHANNELS.format(mqtt=broker.port)
        async with house(tmp_path, Country(villages=2_000, people=100_000), more=more) as home:
            await _pass(SETTLED_S)
            parts = []
            for _ in range(ROUNDS):
                before, watch = home.cpu_s(), Stopwatch()
                await _pass(ROUND_S)
                parts.append((home.cpu_s() - before) / watch.s() * 100)
    met = sorted(parts)[ROUNDS // 2] < 0.5
    table.add("idle, share of one core", parts, aim="< 0.5 %", met=met, unit=" %")


async def _pass(seconds: float) -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
