"""One look for all lanes says what each lane's own would, and those who wake together share it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection

from tests.fakes.clock import HandClock
from tests.fakes.rows import RELEASED, Rows
from tests.stores import store_url
from warnd.bell import Bell
from warnd.dispatch.lookout import Lookout
from warnd.ledger import claims, looks
from warnd.ledger.priority import PUBLIC, SEATS, TERMINALS, priority
from warnd.ledger.store import InlineLedger, open_inline

P = ParamSpec("P")
T = TypeVar("T")
LANES = ("sms", "sms:drill", "email", "mqtt")


@pytest.fixture
def ledger(tmp_path: Path) -> InlineLedger:
    return open_inline(store_url(tmp_path))


def _fill(conn: Connection) -> None:
    rows = Rows(conn)
    village = rows.county()[0]
    reader = rows.recipient("li", village)
    red, blue = rows.message("red"), rows.message("blue", urgency=4)
    over, short = rows.message("over", closed_as="cancelled"), rows.message("short", expires_at=RELEASED + 10)

    def leg(message: int, lane: str, rank: int, *, state: str = "due", due_in: int = 0) -> None:
        delivery = rows.delivery(message, reader, village, subject=lane)
        rows.leg(message, delivery=delivery, lane=lane, priority=rank, state=state, due_at=RELEASED + due_in)

    leg(red, "sms", priority(1, SEATS), state="waiting")
    leg(red, "email", priority(1, PUBLIC), due_in=30)
    leg(blue, "mqtt", priority(4, TERMINALS, repeat=True))
    leg(over, "sms", priority(1, SEATS))
    leg(short, "sms:drill", priority(1, SEATS))


@pytest.mark.parametrize(("later", "due"), [(0, {"mqtt", "sms:drill"}), (29, {"mqtt"}), (30, {"mqtt", "email"})])
async def test_one_look_finds_what_each_lane_would_find(ledger: InlineLedger, later: int, due: set[str]) -> None:
    await ledger.write(_fill)
    now_ms = RELEASED + later
    assert await ledger.read(looks.due_lanes, lanes=LANES, now_ms=now_ms) == due
    assert {lane for lane in LANES if await ledger.read(claims.any_due, lane=lane, now_ms=now_ms)} == due
    await ledger.close()


class _Watched:
    """A ledger whose reads are counted, and begin only when a test lets them."""

    def __init__(self, ledger: InlineLedger) -> None:
        self.looks = 0
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._ledger = ledger

    async def read(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.looks += 1
        found = await self._ledger.read(op, *args, **kwargs)
        await self.may_read.wait()
        return found

    async def write(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._ledger.write(op, *args, **kwargs)

    async def close(self) -> None:
        await self._ledger.close()


async def test_lanes_that_wake_together_share_a_look_and_one_that_wakes_after_a_commit_has_its_own(
    ledger: InlineLedger,
) -> None:
    watched, clock, bell = _Watched(ledger), HandClock(), Bell()
    lookout = Lookout(watched, clock, bell=bell, lanes=LANES)
    assert await asyncio.gather(*[lookout.due(lane) for lane in LANES]) == [False] * len(LANES)
    assert watched.looks == 1
    watched.may_read.clear()
    clock.advance(1)
    async with asyncio.TaskGroup() as group:
        early = group.create_task(lookout.due("mqtt"))
        await asyncio.sleep(0)
        await watched.write(_fill)  # Not seen by the look that is under way.
        bell.ring()
        late = group.create_task(lookout.due("mqtt"))
        await asyncio.sleep(0)
        watched.may_read.set()
    assert (early.result(), late.result()) == (False, True)
    assert watched.looks == 3
    await watched.close()


async def test_what_falls_due_by_time_alone_is_seen(ledger: InlineLedger) -> None:
    clock = HandClock()
    await ledger.write(_fill)
    lookout = Lookout(ledger, clock, bell=Bell(), lanes=LANES)
    assert not await lookout.due("email")
    clock.advance(1)
    assert await lookout.due("email")
    await ledger.close()
