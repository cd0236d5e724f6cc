"""Scenario 23: somebody upstream says it is all done. Without receipts of ours that match, nothing is confirmed."""

from pathlib import Path

from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import accepts, playback, running
from warnd.channel import Presence, Receipt, Reply, Report
from warnd.model.evidence import Evidence


def test_claims_that_match_nothing_are_kept_and_confirm_no_village(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=accepts) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(3)
            topic = world.speakers.sent[0]
            claims: list[Receipt] = [
                *(Report("sms", f"upstream-{n}", Evidence.ACKNOWLEDGED) for n in range(5)),
                Report("sms", "test-999999-1", Evidence.DELIVERED),
                Reply("sms", "+8613999999999", "1"),
                playback(topic, "a platform", "played", n=1),
                playback(topic, f"term-{VILLAGES[0]}", "played", n=1, message_id="another"),
                playback(topic, f"term-{VILLAGES[0]}", "played", n=2, seq=7),
                playback(topic, f"term-{VILLAGES[0]}", "played", n=3, drill=True),
                Presence("mqtt", False, f"term-{VILLAGES[0]}", True, "b", 60, "synced", "ok", 80, None, raw="done 90%"),
            ]
            for claim in claims:
                await world.daemon.recorder.receipt(claim)
            await world.clock.sleep(3)
            assert (
                await world.one("SELECT count(*) FROM target WHERE confirmed_at IS NOT NULL OR played_at IS NOT NULL")
                == 0
            )
            assert await world.one("SELECT count(*) FROM receipt WHERE delivery_no IS NULL") == 7
            assert (await world.delivery(alert_id, f"term-{VILLAGES[0]}")).evidence == Evidence.ACCEPTED
            assert await world.one("SELECT max(evidence) FROM delivery") == Evidence.ACCEPTED
            await world.check_invariants()

    run(story(), loop)
