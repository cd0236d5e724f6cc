"""How much more several workers on one PostgreSQL send than one: a gateway that takes each text after 100 ms, real `warnd serve` processes.

The server is durable (fsync, synchronous commit). Run: pytest tests/bench/test_bench_workers.py -m bench -s
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import psycopg
import pytest

from tests import postgresql
from tests.bench.conftest import Table
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document, flood
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.daemon import Daemon, read_files
from warnd.ledger.store import open_inline
from warnd.model.authority import Principal
from warnd.model.submission import Fate
from warnd.settings import load

pytestmark = pytest.mark.bench

ROUNDS = 3
FLEET = 4
LATENCY_S = 0.1
UNDER_WAY = 20  # At once and by worker; with 100 ms each, 200 in a second if warnd and its store took no time at all.
MANY = 200  # The default of [sms]: what holds them up then is the store, or the machine.
SETTLED_S = 1.0  # After the last worker's first claim.
MEASURED_S = 3.0
HOUSEHOLDS = 2_000  # In each of six villages.
LEAST_RATIO = 3.2


@dataclass(frozen=True, slots=True)
class Pace:
    """What some workers did in a while."""

    per_s: float
    groups_per_s: float


def _config(folder: Path, url: str, name: str, *, under_way: int) -> Path:
    config = folder / f"{name}.toml"
    config.write_text(
        f'[store]\nurl = "{url}"\n[node]\nname = "bench"\nworker = "{name}"\nlanguages = ["zh", "en"]\n'
        f'[http]\nlisten = "127.0.0.1:{free_port()}"\n[log]\nlevel = "error"\n'
        f'[sms]\nprovider = "spool"\nspool.dir = "{folder / "spool"}"\nrate_per_s = 10000\nconcurrency = {under_way}\n',
        "utf-8",
    )
    return config


async def _planned(folder: Path, cluster: postgresql.Server) -> str:
    """Make a database in which a warning for everybody is planned and nothing of it has left; return its name."""
    url = cluster.database("planned")
    found(url, folder, clock=SystemClock(), recipients=recipients_csv(households=HOUSEHOLDS, without_terminal=VILLAGES))
    settings = load(_config(folder, url, "planner", under_way=1), {})
    ledger = open_inline(url)
    daemon = Daemon(
        settings,
        ledger=ledger,
        clock=SystemClock(),
        chance=Random(1),
        writer="bench",
        tag="bench",
        answer_key=bytes(32),
        files=read_files(settings),
        public_url="http://127.0.0.1",
    )
    alert = document(flood(identifier="QH-1", level="yellow", sent=SystemClock().now().replace(microsecond=0)))
    submission = await daemon.desk.submit(alert, by=Principal(name="bench", scope="release"))
    assert submission.fate is Fate.RELEASED, submission
    while await daemon.planner.step():
        pass
    await ledger.close()
    _switch(url, on=False)
    return "planned"


def _switch(url: str, *, on: bool) -> None:
    """Let the workers begin, all at once: a message that is closed is never claimed from."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("UPDATE message SET closed_as = %s", (None if on else "withdrawn",))


@asynccontextmanager
async def _workers(folder: Path, url: str, *, count: int, under_way: int) -> AsyncIterator[None]:
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.fakes.stub_worker",
            str(_config(folder, url, f"worker-{number}", under_way=under_way)),
            str(LATENCY_S),
            "0",
        )
        for number in range(count)
    ]
    try:
        yield
    finally:
        for each in running:
            if each.returncode is None:
                each.kill()
            await each.wait()


async def _paced(folder: Path, cluster: postgresql.Server, *, count: int, under_way: int) -> Pace:
    url = cluster.database(f"run_{under_way}_{count}_{next(_runs)}", template="planned")
    with psycopg.connect(url, autocommit=True) as conn:

        def number(statement: str) -> float:
            row = conn.execute(statement.encode()).fetchone()
            assert row is not None
            return float(row[0] or 0)

        def all_at_work() -> bool:
            owners = "SELECT count(DISTINCT writer) FROM event WHERE kind = 'attempt.submitting'"
            return number(owners) == count

        async with _workers(folder, url, count=count, under_way=under_way):
            await until(lambda: number("SELECT count(*) FROM worker") == count, timeout_s=60)
            _switch(url, on=True)
            await until(all_at_work, timeout_s=60)
            began = number(
                "SELECT max(at) FROM (SELECT min(at) AS at FROM event WHERE kind = 'attempt.submitting' GROUP BY writer) a"
            )
            first, last = began + SETTLED_S * 1000, began + (SETTLED_S + MEASURED_S) * 1000
            now = "SELECT extract(epoch FROM clock_timestamp()) * 1000"
            await until(lambda: number(now) > last + 200, timeout_s=60)
        left = number("SELECT count(*) FROM leg WHERE lane = 'sms' AND state = 'due'")
        assert left > 0, "they ran out of work before the end of the measurement"
        done = number(f"SELECT count(*) FROM attempt WHERE ended_at >= {first} AND ended_at < {last}")
        groups = number(
            f"SELECT count(*) FROM event WHERE kind = 'attempt.submitting' AND at >= {first} AND at < {last}"
        )
    cluster.drop(url)
    return Pace(done / MEASURED_S, groups / MEASURED_S)


_runs = iter(range(1_000_000))


async def test_four_workers_send_more_than_three_times_as_much_as_one(tmp_path: Path, table: Table) -> None:
    with postgresql.durable() as cluster:
        await _planned(tmp_path, cluster)
        pairs = [
            [await _paced(tmp_path, cluster, count=count, under_way=UNDER_WAY) for count in (1, FLEET)]
            for _ in range(ROUNDS)
        ]
        most = await _paced(tmp_path, cluster, count=FLEET, under_way=MANY)
    ratios = [many.per_s / one.per_s for one, many in pairs]
    table.add(
        f"PostgreSQL, 1 -> {FLEET} workers, stub of 100 ms, {UNDER_WAY} under way each",
        ratios,
        aim=f">= {LEAST_RATIO}x",
        met=median(ratios) >= LEAST_RATIO,
        unit="x",
    )
    for place, count in enumerate((1, FLEET)):
        table.add(
            f"  tries a second, {count} workers", [pair[place].per_s for pair in pairs], aim="", met=None, unit="/s"
        )
    table.add(f"  the same, {FLEET} workers, {MANY} under way each", [most.per_s], aim="", met=None, unit="/s")
