"""A gateway that knows nothing but its own ids: its reports come by reference, some before the answer to the call that they are about."""

from collections import Counter
from pathlib import Path

from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run, simulated
from tests.simulation.world import Act, Wire, running
from warnd.channel import Accepted, Outcome, Outgoing, Report
from warnd.model.evidence import Evidence

V = VILLAGES
OFFICER = f"officer-{V[0]}"


def _gateway(*, answers_after_s: float, fails_first: str = "") -> Act:
    """Give out ids and report 1 s after each call, whenever the call itself is answered."""
    tried: Counter[str] = Counter()

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        number = len(wire.sent)
        tried[outgoing.recipient or ""] += 1
        failed = outgoing.recipient == fails_first and tried[fails_first] == 1
        evidence = Evidence.NONE if failed else Evidence.DELIVERED
        await wire.bring(Report("sms", None, evidence, failed=failed, reference=f"gw:{number}"), after_s=1)
        await simulated(answers_after_s)
        return Accepted(f"gw:{number}", segments=3)

    return act


def test_every_report_finds_its_text_though_it_comes_before_the_answer_to_the_call(tmp_path: Path) -> None:
    for answers_after_s in (0.0, 5.0):
        loop = VirtualLoop()
        folder = tmp_path / str(answers_after_s)
        folder.mkdir()

        async def story(folder: Path = folder, loop: VirtualLoop = loop, late: float = answers_after_s) -> None:
            async with running(folder, loop=loop, phones=_gateway(answers_after_s=late)) as world:
                alert_id = await world.release(flood(codes=(V[0],)))
                await world.clock.sleep(300)
                assert (await world.delivery(alert_id, OFFICER)).evidence == Evidence.DELIVERED
                assert (await world.delivery(alert_id, f"home-{V[0]}-0")).state == "satisfied"
                assert await world.one("SELECT count(*) FROM receipt WHERE leg_no IS NULL") == 0
                sent = len(world.phones.sent)
                assert await world.one("SELECT sum(n) FROM channel_tally WHERE what = 'segments'") == 3 * sent
                await world.check_invariants()

        run(story(), loop)


def test_a_refusal_that_comes_before_the_answer_brings_the_next_try_soon(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = _gateway(answers_after_s=5.0, fails_first=OFFICER)
        async with running(tmp_path, loop=loop, phones=phones) as world:
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(30)
            assert [one.repeated for one in world.texts_to(OFFICER)] == [False, True]
            assert (await world.delivery(alert_id, OFFICER)).evidence == Evidence.DELIVERED
            await world.check_invariants()

    run(story(), loop)
