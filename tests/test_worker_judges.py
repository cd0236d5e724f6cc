"""When a worker may take another for dead, and when it must not dare to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from tests import postgresql
from tests.fakes.manual_clock import ManualClock
from warnd.bell import Bell
from warnd.daemon.store_clock import StoreClock
from warnd.daemon.worker import Identity, Worker
from warnd.dispatch.metrics import Metrics
from warnd.ledger import workers
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger, open_inline
from warnd.ledger.values import to_ms
from warnd.ledger.workers import Reading

SILENT_S = 8.0
_numbers = count(1)


class Away:
    """A ledger that may be out of reach for a while."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.down = False

    async def read(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        self._reach()
        return await self._ledger.read(op, *args, **kwargs)

    async def write(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        self._reach()
        return await self._ledger.write(op, *args, **kwargs)

    async def close(self) -> None:
        await self._ledger.close()

    def _reach(self) -> None:
        if self.down:
            raise OperationalError("SELECT 1", None, OSError("the server is not there"))


@pytest.fixture
async def ledger() -> AsyncIterator[Away]:
    name = f"judges{next(_numbers)}"
    postgresql.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
    opened = Away(open_inline(f"postgresql://postgres@127.0.0.1:{postgresql.port()}/{name}"))
    yield opened
    await opened.close()
    postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


def _worker(ledger: Ledger, machine: ManualClock, name: str) -> Worker:
    clock = StoreClock(machine, Reading(to_ms(machine.now()), machine.monotonic(), 0.0))
    return Worker(ledger, clock, own=Identity(name, "1", f"writer of {name}"))


@asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.run(bell=Bell(), metrics=Metrics(CollectorRegistry())))
        yield
        task.cancel()


async def test_who_has_just_begun_or_was_cut_off_takes_nobody_for_dead(ledger: Away) -> None:
    machine = ManualClock()
    worker = _worker(ledger, machine, "alpha")
    await worker.join()
    assert worker.silent_before_ms() is None
    async with _running(worker):
        await machine.advance(SILENT_S)
        assert worker.silent_before_ms() is not None
        ledger.down = True
        await machine.advance(SILENT_S)
        assert worker.silent_before_ms() is None, "it heard nobody, and would take all others for dead"
        ledger.down = False
        await machine.advance(SILENT_S / 2)
        assert worker.silent_before_ms() is None, "the others had no time yet to show that they live"
        await machine.advance(SILENT_S)
        assert worker.silent_before_ms() is not None


async def test_the_eldest_of_those_that_live_is_who_has_been_there_longest(ledger: Away) -> None:
    machine = ManualClock()
    alpha, beta = _worker(ledger, machine, "alpha"), _worker(ledger, machine, "beta")
    assert await alpha.eldest()
    await alpha.join()
    await machine.advance(1)
    await beta.join()
    assert await alpha.eldest()
    assert not await beta.eldest()
    await alpha.leave()
    assert await beta.eldest()


async def test_who_leaves_gives_up_its_place(ledger: Away) -> None:
    machine = ManualClock()
    alpha, beta = _worker(ledger, machine, "alpha"), _worker(ledger, machine, "beta")
    await alpha.join()
    await beta.join()
    await alpha.leave()
    assert [one.name for one in await ledger.read(workers.present)] == ["beta"]
    stamp = Stamp(to_ms(machine.now()), "writer of beta")
    (gone,) = await ledger.write(workers.bury, before_ms=1, stamp=stamp)
    assert gone.name == "alpha"


async def test_a_store_that_is_away_when_it_leaves_is_no_error(ledger: Away) -> None:
    worker = _worker(ledger, ManualClock(), "alpha")
    await worker.join()
    ledger.down = True
    await worker.leave()
    ledger.down = False
    assert [one.name for one in await ledger.read(workers.present)] == ["alpha"]
