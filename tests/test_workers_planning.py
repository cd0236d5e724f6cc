"""Of several workers one plans; when it has stopped in the middle another goes on where it stopped."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests import invariants
from tests.fakes.manual_clock import ManualClock
from tests.fakes.released import plan_of
from tests.simulation.county import COUNTY, found
from tests.simulation.virtual import START
from tests.stores import store_url
from warnd.bell import Bell
from warnd.dispatch.planner import Planner
from warnd.dispatch.quiet import Quiet
from warnd.ledger import messages
from warnd.ledger.door import Operation, P, T
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import Ledger, open_inline
from warnd.ledger.values import to_ms
from warnd.model.level import Level

NOW = to_ms(START)
SMALLEST = Pace(regions=1, rows=1)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = store_url(tmp_path)
    found(url, tmp_path, clock=ManualClock(START))
    opened = open_inline(url)
    await opened.write(_release)
    yield opened
    await opened.close()


def _release(conn: Connection) -> None:
    new = NewMessage(
        id="flood",
        kind="warning",
        chain_id="flood",
        seq=1,
        drill=False,
        urgency=int(Level.RED),
        plan=plan_of(Level.RED),
        directory_rev=2,
        expires_at=to_ms(START + timedelta(hours=6)),
        roots=[(COUNTY, "geocode", False)],
        recipients=[],
        public=True,
    )
    messages.open_message(conn, new, stamp=Stamp(NOW, "desk"))


def _stage(conn: Connection) -> str:
    stage: str = conn.execute(text("SELECT stage FROM message")).scalar_one()
    return stage


def _planner(ledger: Ledger, clock: ManualClock, writer: str) -> Planner:
    means = Means(channels=frozenset({"sms", "mqtt"}), jurisdiction=())
    bell = Bell()
    quiet = Quiet(ledger, clock, bell=bell)
    return Planner(ledger, clock, means=means, pace=SMALLEST, writer=writer, bell=bell, quiet=quiet, alone=False)


async def test_one_plans_while_the_other_waits(ledger: Ledger) -> None:
    clock = ManualClock(START)
    alpha, beta = _planner(ledger, clock, "alpha"), _planner(ledger, clock, "beta")
    chunks = 0
    while await alpha.step():
        chunks += 1
        assert not await beta.step()
    assert chunks > 10
    assert await ledger.read(_stage) == "planned"
    await ledger.read(invariants.deliveries_are_what_was_asked)


async def test_the_other_goes_on_two_seconds_after_the_first_has_died(ledger: Ledger) -> None:
    clock = ManualClock(START)
    alpha, beta = _planner(ledger, clock, "alpha"), _planner(ledger, clock, "beta")
    for _ in range(5):
        assert await alpha.step()
    await clock.advance(1.9)
    assert not await beta.step()
    await clock.advance(0.1)
    assert await beta.step()
    assert not await alpha.step()
    while await beta.step():
        pass
    assert await ledger.read(_stage) == "planned"
    await ledger.read(invariants.deliveries_are_what_was_asked)


async def test_who_has_planned_everything_lets_the_others_begin_at_once(ledger: Ledger) -> None:
    clock = ManualClock(START)
    alpha, beta = _planner(ledger, clock, "alpha"), _planner(ledger, clock, "beta")
    while await alpha.step():
        pass

    def again(conn: Connection) -> None:
        conn.execute(text("UPDATE message SET stage = 'targets', cursor = '{}'"))

    await ledger.write(again)
    assert await beta.step()


class Impatient:
    """A slow store that gives larger chunks up: its statements may take only so long."""

    def __init__(self, inner: Ledger, clock: ManualClock, *, most: int) -> None:
        self._inner = inner
        self._clock = clock
        self._most = most
        self.refused = 0

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._inner.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        pace = kwargs["pace"]
        assert isinstance(pace, Pace)
        if max(pace.rows, pace.regions) > self._most:
            self.refused += 1
            raise OperationalError("INSERT", {}, Exception("canceling statement due to statement timeout"))
        await self._clock.advance(2)
        return await self._inner.write(op, *args, **kwargs)

    async def close(self) -> None:
        await self._inner.close()


async def test_a_chunk_that_the_store_does_not_finish_is_tried_smaller(ledger: Ledger) -> None:
    clock = ManualClock(START)
    impatient = Impatient(ledger, clock, most=10)
    means = Means(channels=frozenset({"sms", "mqtt"}), jurisdiction=())
    bell = Bell()
    quiet = Quiet(ledger, clock, bell=bell)
    planner = Planner(impatient, clock, means=means, pace=Pace(40, 80), writer="one", bell=bell, quiet=quiet)
    for _ in range(3):
        refused, _ = await asyncio.gather(planner.step(), clock.advance(1))
        assert not refused
        assert planner.problem() is not None
    while await planner.step():
        assert planner.problem() is None
    assert impatient.refused == 3, "it stays small until all is planned"
    assert await ledger.read(_stage) == "planned"
