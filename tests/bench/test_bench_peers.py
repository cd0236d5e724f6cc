"""pgqueuer and Celery doing the same post, for comparison. Their packages live in an environment of their own: see `make bench`.

Not like for like, in their favour: they render nothing, count no evidence, keep no record of events, and Celery's redis keeps its queue
in memory alone.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from tests import postgresql
from tests.bench.conftest import SCALE, Table
from tests.ports import free_port

pytestmark = pytest.mark.bench

_HERE = Path(__file__).parent
_PYTHON = Path(os.environ.get("BENCH_PEERS", _HERE.parent.parent / ".venv-peers")) / "bin" / "python"
ROUNDS = 5
BY_PGQUEUER = int(5_000 * SCALE)
BY_CELERY = int(2_000 * SCALE)


async def _seconds(table: Table, name: str, *arguments: object) -> float | None:
    if not _PYTHON.exists():
        table.skip(name, "its packages are not installed; `make bench` does it")
        return None
    given = [str(each) for each in arguments]
    script = await asyncio.create_subprocess_exec(str(_PYTHON), *given, stdout=PIPE)
    async with asyncio.timeout(300):
        told, _ = await script.communicate()
    assert script.returncode == 0
    return float(told.split()[-1])


async def test_pgqueuer(twilio_port: str, table: Table) -> None:
    name = "pgqueuer on a durable PostgreSQL, the same post"
    rates = []
    with postgresql.durable() as server:
        for number in range(ROUNDS):
            server.run(f"CREATE DATABASE peer{number}")
            dsn = f"postgresql://postgres@127.0.0.1:{server.port}/peer{number}"
            took = await _seconds(table, name, _HERE / "peer_pgqueuer.py", dsn, twilio_port, BY_PGQUEUER)
            if took is None:
                return
            rates.append(BY_PGQUEUER / took)
    table.add(name, rates, aim="", met=None, unit="/s")


async def test_celery(twilio_port: str, table: Table) -> None:
    name = "Celery with redis, 20 threads, the same post"
    if shutil.which("redis-server") is None:
        table.skip(name, "redis-server is not installed (apt install redis-server)")
        return
    rates = []
    for _ in range(ROUNDS):
        with _redis() as broker:
            took = await _seconds(table, name, _HERE / "peer_celery.py", broker, twilio_port, BY_CELERY)
        if took is None:
            return
        rates.append(BY_CELERY / took)
    table.add(name, rates, aim="", met=None, unit="/s")


@contextmanager
def _redis() -> Iterator[str]:
    port = free_port()
    with subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout)
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()
