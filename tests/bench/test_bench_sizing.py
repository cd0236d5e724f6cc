"""What docs/scale-out.md states: deliveries a second of one worker and of two on a durable PostgreSQL, and what a delivery takes there."""

import asyncio
from pathlib import Path

import pytest

from tests import postgresql
from tests.fakes.workers import centre_at
from tests.simulation.documents import flood
from tests.waiting import until
from warnd.clock import SystemClock

pytestmark = pytest.mark.bench

HOUSEHOLDS = 2_000  # In each of six villages.
DELIVERIES = 6 * HOUSEHOLDS


@pytest.mark.parametrize("workers", [1, 2])
async def test_deliveries_a_second_into_the_spool(workers: int, tmp_path: Path) -> None:
    with postgresql.durable() as server:
        url = server.database("sizing")
        async with centre_at(url, tmp_path, households=HOUSEHOLDS) as made:
            for number in range(workers):
                spool = tmp_path / f"w{number}" / "spool"
                spool.mkdir(parents=True)
                await made.start(
                    f"w{number}",
                    f'[sms]\nspool.dir = "{spool}"\nrate_per_s = 10000\nconcurrency = 200\n[log]\nlevel = "warning"\n',
                    ["warnd", "serve", "--config", "{config}"],
                )
            await made.all_answer()
            empty = made.number("SELECT pg_database_size(current_database())")
            loop = asyncio.get_running_loop()
            began = loop.time()
            await made.workers["w0"].release(flood(level="orange", sent=SystemClock().now().replace(microsecond=0)))
            await until(
                lambda: made.number("SELECT count(*) FROM delivery WHERE evidence > 0") == DELIVERIES, timeout_s=300
            )
            took_s = loop.time() - began
            size = made.number("SELECT pg_database_size(current_database())") - empty
            log = made.number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
            print(  # noqa: T201 - a benchmark says what it measured
                f"{workers} worker(s): {DELIVERIES / took_s:.0f} deliveries/s; {size / DELIVERIES:.0f} bytes a delivery in tables "
                f"and indices; write-ahead log {log / 1e6:.0f} MB since the server began; "
                f"{made.number('SELECT temp_files FROM pg_stat_database WHERE datname = current_database()')} sorts on disk"
            )
            assert took_s < 300
