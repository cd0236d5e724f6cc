"""The store commits a claim and dies before it says so: the tries are begun soon, once, and not as repeats."""

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run, simulated
from tests.simulation.world import running, speakers_of
from warnd.ledger import claims
from warnd.ledger.door import Ledger, Operation, P, T

V = VILLAGES


class Speechless:
    """A ledger that loses its answers to the first claims of texts: they stand all the same, or not at all."""

    def __init__(self, inner: Ledger, *, stands: bool) -> None:
        self._inner = inner
        self._stands = stands
        self.silent = 2

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._inner.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        claiming = getattr(op, "__name__", "") == claims.claim.__name__ and kwargs["lane"] == "sms"
        if not claiming or not self.silent:
            return await self._inner.write(op, *args, **kwargs)
        self.silent -= 1
        if self._stands:
            await self._inner.write(op, *args, **kwargs)
        raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    async def close(self) -> None:
        await self._inner.close()


@pytest.mark.parametrize("stands", [True, False])
def test_a_claim_that_was_not_heard_of_holds_nobody_up(tmp_path: Path, *, stands: bool) -> None:
    loop = VirtualLoop()
    ledgers: list[Speechless] = []

    def shaken(ledger: Ledger) -> Ledger:
        ledgers.append(Speechless(ledger, stands=stands))
        return ledgers[0]

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V), shaken=shaken) as world:
            await world.release(flood())
            await world.clock.sleep(5)  # A lease would last ten times as long.
            assert ledgers[0].silent == 0
            for village in V:
                (text,) = world.texts_to(f"officer-{village}")
                assert not text.repeated
            failed = "SELECT count(*) FROM attempt WHERE reason LIKE 'never left%' AND state = 'failed'"
            assert (await world.one(failed) > 0) is stands
            await world.check_invariants()

    run(story(), loop)


def test_what_was_cancelled_meanwhile_is_not_begun(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(
            tmp_path, loop=loop, speakers=speakers_of(V), shaken=lambda ledger: Speechless(ledger, stands=True)
        ) as world:
            alert = flood()
            await world.release(alert)
            await world.clock.sleep(0.1)
            await world.release(cancel_of(alert))
            await world.clock.sleep(10)
            assert {each.message.kind for each in world.phones.sent} <= {"cancel"}
            assert await world.one("SELECT count(*) FROM attempt WHERE reason LIKE 'never left%'") > 0
            await world.check_invariants()

    run(story(), loop)


class Slow(Speechless):
    """A ledger whose answers to the first claims of texts come long after their commit."""

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await self._inner.write(op, *args, **kwargs)
        if getattr(op, "__name__", "") == claims.claim.__name__ and kwargs["lane"] == "sms" and self.silent:
            self.silent -= 1
            await simulated(5)
        return found


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_claim_that_was_heard_of_late_is_begun_only_if_nothing_was_cancelled_since(
    tmp_path: Path, *, cancelled: bool
) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(
            tmp_path, loop=loop, speakers=speakers_of(V), shaken=lambda ledger: Slow(ledger, stands=True)
        ) as world:
            alert = flood()
            await world.release(alert)
            await world.clock.sleep(1)
            assert (
                await world.one("SELECT count(*) FROM attempt a JOIN leg l ON l.no = a.leg_no WHERE l.lane = 'sms'") > 0
            )
            assert not world.phones.sent
            if cancelled:
                await world.release(cancel_of(alert))
            await world.clock.sleep(20)
            assert {each.message.kind for each in world.phones.sent} == {"cancel" if cancelled else "warning"}
            assert await world.one("SELECT count(*) FROM attempt WHERE reason = 'not_started'") == 0 or cancelled
            await world.check_invariants()

    run(story(), loop)
