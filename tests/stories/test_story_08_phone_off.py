"""Scenario 8, without the climb: a phone that is off. Three tries in five minutes, then it is named; later proof is shown as late."""

from pathlib import Path

from tests.simulation.acts import each
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import accepts, running
from warnd.channel import Report
from warnd.model.evidence import Evidence


def test_three_tries_then_exhausted_and_a_late_report_does_not_erase_the_breach(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=each({"chief": accepts})) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(299)
            tries = world.texts_to("chief")
            assert [one.repeated for one in tries] == [False, True, True]
            assert (await world.delivery(alert_id, "chief")).state == "open"
            await world.clock.sleep(5)
            named = await world.delivery(alert_id, "chief")
            assert (named.state, named.breached_at) == ("exhausted", named.due_by)
            await world.clock.sleep(30)
            assert len(world.texts_to("chief")) == 3
            await world.daemon.recorder.receipt(Report("sms", tries[0].attempt, Evidence.DELIVERED))
            late = await world.delivery(alert_id, "chief")
            assert (late.state, late.evidence) == ("exhausted", Evidence.DELIVERED)
            assert late.breached_at == named.due_by
            await world.check_invariants()

    run(story(), loop)
