"""Five thousand loudspeakers: from the release to the last receipt committed, against a bare aiomqtt loop that publishes and counts.

Both times hold the loudspeakers' own work (each verifies the command and signs three receipts, all in this process) and the broker's.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.bench.conftest import SCALE, Table
from tests.bench.house import Stopwatch
from tests.fakes.broker import needs_mosquitto
from tests.fakes.loudspeaker import LIVE_KEY, PLAY
from tests.fleet.centre import DAEMON_PASSWORD, County, county, until_seldom
from tests.simulation.county import COUNTY
from warnd.clock import SystemClock
from warnd.model.loudspeaker import sign_command

pytestmark = [pytest.mark.bench, needs_mosquitto]

COUNT = int(5_000 * SCALE)
ROUNDS = 5
EACH = 3  # Receipts: received, playing, played.


async def test_five_thousand_loudspeakers(tmp_path: Path, table: Table) -> None:
    async with county(tmp_path, count=COUNT, pass_s=0.0) as here:
        ours = [await _ours(here, number) for number in range(ROUNDS)]
        here.served.process.terminate()
        await here.served.process.wait()
        bare = [await _bare(here, number) for number in range(ROUNDS)]
        assert not {words for one in here.speakers for words in one.refused}
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    table.add(f"{COUNT:,} loudspeakers, release to the last receipt committed", ours, aim="", met=None, unit=" s")
    table.add("  bare aiomqtt: publish, and count them in", bare, aim="", met=None, unit=" s")
    table.add("  ratio", ratios, aim="<= 1.5", met=sorted(ratios)[ROUNDS // 2] <= 1.5)


async def _ours(here: County, number: int) -> float:
    known = here.number("SELECT count(*) FROM terminal_receipt")
    watch = Stopwatch()
    await here.release(identifier=f"bench-{number}")
    await until_seldom(
        lambda: here.number("SELECT count(*) FROM terminal_receipt") == known + EACH * COUNT, timeout_s=120
    )
    took = watch.s()
    await until_seldom(lambda: here.outstanding() == 0, timeout_s=60)
    return took


async def _bare(here: County, number: int) -> float:
    now = SystemClock().now().replace(microsecond=0)
    chain = f"bare-{number}"
    command = replace(
        PLAY,
        to=f"region:{COUNTY}",
        message_id=chain,
        chain_id=chain,
        nonce=chain,
        issued_at=now,
        expires_at=now + timedelta(hours=1),
        ttl_s=3600,
    )
    topic = f"warnd/v1/region/{COUNTY}/command/{chain}"
    script = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("bare_centre.py")),
        str(here.broker.port),
        DAEMON_PASSWORD,
        topic,
        str(EACH * COUNT),
        stdin=PIPE,
        stdout=PIPE,
    )
    async with asyncio.timeout(120):
        told, _ = await script.communicate(sign_command(command, LIVE_KEY).encode())
    for speaker in here.speakers:
        speaker.outbox.clear()  # Nobody confirms them.
    return float(told)
