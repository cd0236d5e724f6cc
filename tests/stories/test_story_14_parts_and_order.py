"""Scenario 14: 'delivered' and then 'sent' stays delivered; one failed part of two is partial and is tried again."""

from pathlib import Path

from tests.simulation.acts import each
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Wire, running
from warnd.channel import Accepted, Outcome, Outgoing, Report
from warnd.model.evidence import Evidence


async def _delivered_then_sent(outgoing: Outgoing, wire: Wire) -> Outcome:
    await wire.bring(Report("sms", outgoing.attempt, Evidence.DELIVERED), after_s=2)
    await wire.bring(Report("sms", outgoing.attempt, Evidence.ACCEPTED, reason="sent"), after_s=4)
    return Accepted()


async def _half_at_first(outgoing: Outgoing, wire: Wire) -> Outcome:
    whole = outgoing.repeated
    await wire.bring(Report("sms", outgoing.attempt, Evidence.DELIVERED, part=1, parts=2), after_s=2)
    second = Evidence.DELIVERED if whole else Evidence.NONE
    await wire.bring(Report("sms", outgoing.attempt, second, failed=not whole, part=2, parts=2), after_s=3)
    return Accepted()


def test_delivered_stays_delivered_and_half_a_text_is_sent_again(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = each({"chief": _delivered_then_sent, "leader": _half_at_first})
        async with running(tmp_path, loop=loop, phones=phones) as world:
            alert_id = await world.release(flood(level="yellow"))
            await world.clock.sleep(3.4)
            leader = "leader-519999101000"
            assert (await world.delivery(alert_id, leader)).evidence == Evidence.ACCEPTED
            reason = await world.one(
                "SELECT a.reason FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN delivery d ON d.no = l.delivery_no "
                "JOIN recipient r ON r.no = d.recipient_no WHERE r.id = :id AND a.number = 1",
                id=leader,
            )
            assert reason.startswith("partial")
            await world.clock.sleep(20)
            assert (await world.delivery(alert_id, "chief")).evidence == Evidence.DELIVERED
            assert (await world.delivery(alert_id, leader)).evidence == Evidence.DELIVERED
            assert [one.repeated for one in world.texts_to(leader)] == [False, True]
            await world.check_invariants()

    run(story(), loop)
