"""Scenario 13: the delivery report arrives before the gateway has answered the call that sent the text."""

from pathlib import Path

import pytest

from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run, simulated
from tests.simulation.world import Wire, running
from warnd.channel import Accepted, Outcome, Outgoing, Reply, Report
from warnd.model.evidence import Evidence


@pytest.mark.parametrize("failed", [False, True], ids=["delivered", "refused"])
def test_a_report_before_the_answer_is_matched_and_none_is_orphaned(tmp_path: Path, *, failed: bool) -> None:
    loop = VirtualLoop()
    calls: dict[str, int] = {}

    async def early(outgoing: Outgoing, wire: Wire) -> Outcome:
        assert wire.sink is not None
        calls[outgoing.address] = calls.get(outgoing.address, 0) + 1
        bad = failed and calls[outgoing.address] == 1
        evidence = Evidence.NONE if bad else Evidence.DELIVERED
        await wire.sink(Report("sms", outgoing.attempt, evidence, failed=bad))
        if not bad and "回复" in outgoing.texts[0].text:
            await wire.sink(Reply("sms", outgoing.address, "收到"))
        await simulated(3)
        return Accepted("the answer")

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=early) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(60)
            for village in VILLAGES:
                assert (await world.delivery(alert_id, f"officer-{village}")).state == "satisfied"
            assert await world.one("SELECT count(*) FROM receipt WHERE delivery_no IS NULL") == 0
            officer = world.texts_to(f"officer-{VILLAGES[0]}")
            assert len(officer) == 1 + failed

            async def all_settled() -> bool:
                return not await world.query(
                    "SELECT 1 FROM leg WHERE channel = 'sms' AND state NOT IN ('done', 'waiting')"
                )

            await world.until(all_settled, within_s=300)
            await world.check_invariants()

    run(story(), loop)
