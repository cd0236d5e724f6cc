"""What must not bring the daemon down: a channel that hangs, a disk that is full, a receipt that no table can take."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.simulation.acts import each
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Wire, obedient_phone, running, settings_for, speakers_of
from warnd.channel import Accepted, Outcome, Outgoing, Reply, Report
from warnd.dispatch.recorder import NotRecordable
from warnd.ledger.door import Ledger, Operation, P, T
from warnd.model.evidence import Evidence

V = VILLAGES


async def _hung(_outgoing: Outgoing, _wire: Wire) -> Outcome:
    """A gateway that takes the call and never says anything."""
    await asyncio.Event().wait()
    return Accepted()


def test_a_channel_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=_hung, speakers=speakers_of(V)) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(35)
            for village in V:
                assert (await world.village(alert_id, village)).played_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_a_hung_send_holds_up_only_its_own_place_and_ends_as_unknown(tmp_path: Path) -> None:
    loop = VirtualLoop()
    few = settings_for(tmp_path, "sms.concurrency = 4\nsms.rate_per_s = 2\n")  # One text a claim.

    async def story() -> None:
        phones = each({f"officer-{V[0]}": _hung}, obedient_phone)
        async with running(tmp_path, loop=loop, phones=phones, settings=few) as world:
            await world.release(flood(codes=(V[0], V[1], V[2])))
            await world.clock.sleep(20)
            assert world.texts_to(f"officer-{V[2]}")
            hung = "SELECT a.state FROM attempt a JOIN leg l ON l.no = a.leg_no WHERE l.address = '+8613800000000'"
            assert await world.one(hung) == "submitting"
            await world.clock.sleep(20)
            assert await world.one(hung) == "unknown"
            await world.clock.sleep(100)
            again = world.texts_to(f"officer-{V[0]}")
            assert [one.repeated for one in again] == [False, True]
            await world.check_invariants()

    run(story(), loop)


class FullDisk:
    """A ledger whose disk is full while `full` is set: every write fails the way SQLite's does, whole."""

    def __init__(self, inner: Ledger) -> None:
        self._inner = inner
        self.full = False

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._inner.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.full:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        return await self._inner.write(op, *args, **kwargs)

    async def close(self) -> None:
        await self._inner.close()


@pytest.mark.parametrize("after_s", [0.0, 1.2, 20.0])
def test_a_full_disk_loses_nothing_and_is_told(tmp_path: Path, after_s: float) -> None:
    loop = VirtualLoop()
    disks: list[FullDisk] = []

    def shaken(ledger: Ledger) -> Ledger:
        disks.append(FullDisk(ledger))
        return disks[-1]

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V), shaken=shaken) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(after_s)
            disks[0].full = True
            await world.clock.sleep(30)
            assert world.daemon.problems()
            disks[0].full = False
            await world.clock.sleep(120)
            assert world.daemon.problems() == []
            for village in V:
                assert (await world.village(alert_id, village)).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_the_daemon_ends_although_the_disk_is_full(tmp_path: Path) -> None:
    loop = VirtualLoop()
    disks: list[FullDisk] = []

    def shaken(ledger: Ledger) -> Ledger:
        disks.append(FullDisk(ledger))
        return disks[-1]

    async def story() -> float:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V), shaken=shaken) as world:
            await world.release(flood())
            await world.clock.sleep(1.0)
            disks[0].full = True
            await world.clock.sleep(5)
            began = loop.time()
        return loop.time() - began

    assert run(story(), loop) <= 10.0


BAD: dict[str, Any] = {
    "half a character": Reply("sms", "13800000000", "\ud800"),
    "a number beyond the column": Report("sms", "x", Evidence.DELIVERED, part=2**70, parts=2**70),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_receipt_that_no_table_takes_is_given_back_and_holds_up_no_other(tmp_path: Path, bad: Any) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            good = [Report("sms", f"other-{n}", Evidence.DELIVERED) for n in range(5)]
            every = [*good[:3], bad, *good[3:]]
            ends = await asyncio.gather(*map(world.daemon.recorder.receipt, every), return_exceptions=True)
            assert [type(end) for end in ends] == [*[type(None)] * 3, NotRecordable, *[type(None)] * 2]
            assert await world.one("SELECT count(*) FROM receipt") == len(good)
            assert world.daemon.problems() == []
            await world.check_invariants()

    run(story(), loop)
