"""Scenario 18, without a second gateway: 429 pauses, 5xx backs off, a time-out is unknown and nobody is blindly told twice."""

from itertools import pairwise
from pathlib import Path

from tests.simulation.acts import BROKEN, THROTTLED, each, first
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Wire, World, accepts, obedient_phone, running
from warnd.channel import Accepted, Failed, Outcome, Outgoing, Report, Unknown
from warnd.model.evidence import Evidence


def _times(world: World, recipient: str) -> list[float]:
    return [at for one, at in zip(world.phones.sent, world.phones.at_s, strict=True) if one.recipient == recipient]


def test_429_with_retry_after_pauses_the_whole_lane(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=first([THROTTLED], then=obedient_phone)) as world:
            await world.release(flood())
            await world.clock.sleep(19)
            early = len(world.phones.sent)
            assert all(at <= 1.0 for at in world.phones.at_s)
            await world.clock.sleep(30)
            assert len(world.phones.sent) > early
            assert not [at for at in world.phones.at_s if 1.0 < at < 20.0]
            assert await world.one("SELECT max(failures) FROM leg WHERE channel = 'sms'") == 0
            assert not any(one.repeated for one in world.phones.sent)
            await world.check_invariants()

    run(story(), loop)


def test_5xx_backs_off_with_jitter_and_is_no_repeat(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=first([BROKEN] * 4, then=obedient_phone)) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(240)
            waits = []
            for village in VILLAGES:
                times = _times(world, f"officer-{village}")
                assert len(times) == 5
                gaps = [later - sooner for sooner, later in pairwise(times)]
                assert all(gap <= top + 1.5 for gap, top in zip(gaps, (4, 8, 16, 32), strict=True))
                waits.append(tuple(round(gap, 1) for gap in gaps))
                assert (await world.delivery(alert_id, f"officer-{village}")).state == "satisfied"
            assert len(set(waits)) > 1, "all come back at the same moment"
            assert not any(one.repeated for one in world.phones.sent)
            await world.check_invariants()

    run(story(), loop)


def test_a_time_out_is_unknown_waits_and_says_that_it_repeats(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = each({"chief": first([Unknown("no answer in time")])})
        async with running(tmp_path, loop=loop, phones=phones) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(99)
            assert len(world.texts_to("chief")) == 1
            await world.clock.sleep(25)
            one, two = world.texts_to("chief")
            assert (one.repeated, two.repeated) == (False, True)
            assert one.texts[0].text != two.texts[0].text
            assert one.attempt != two.attempt
            assert (await world.delivery(alert_id, "chief")).state == "satisfied"
            await world.check_invariants()

    run(story(), loop)


def test_a_number_that_is_refused_for_good_is_named_and_not_tried_again(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        gone = first([Failed("no such number", retry="permanent")], then=accepts)
        async with running(tmp_path, loop=loop, phones=each({"chief": gone})) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(200)
            assert len(world.texts_to("chief")) == 1
            assert (await world.delivery(alert_id, "chief")).state == "exhausted"
            await world.check_invariants()

    run(story(), loop)


def test_a_gateway_that_takes_and_then_reports_failure_is_not_hammered(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def takes_and_fails(outgoing: Outgoing, wire: Wire) -> Outcome:
        await wire.bring(Report("sms", outgoing.attempt, Evidence.NONE, failed=True, reason="UNDELIV"), after_s=1)
        return Accepted()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=each({"chief": takes_and_fails})) as world:
            await world.release(flood())
            await world.clock.sleep(600)
            times = _times(world, "chief")
            assert 5 <= len(times) <= 25
            assert times[-1] - times[-2] > 10
            await world.check_invariants()

    run(story(), loop)


def test_a_number_that_a_report_calls_dead_is_named_at_once_and_not_tried_again(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def takes_and_gives_up(outgoing: Outgoing, wire: Wire) -> Outcome:
        dead = Report("sms", outgoing.attempt, Evidence.NONE, failed=True, permanent=True, reason="no such number")
        await wire.bring(dead, after_s=1)
        return Accepted()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=each({"chief": takes_and_gives_up})) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(200)
            assert len(world.texts_to("chief")) == 1
            assert (await world.delivery(alert_id, "chief")).state == "exhausted"
            await world.check_invariants()

    run(story(), loop)
