"""Scenario 5: killed at 40 % of the fan-out. Nobody is lost; what may have left is unknown before it is repeated, and says so."""

from pathlib import Path

from tests import invariants
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run, simulated
from tests.simulation.world import Wire, World, obedient_phone, resumed, running, settings_for, speakers_of
from warnd.channel import Outcome, Outgoing


async def _slow(outgoing: Outgoing, wire: Wire) -> Outcome:
    """Each text takes its time, so that there is always one under way."""
    await simulated(0.2)
    return await obedient_phone(outgoing, wire)


async def _at_forty_percent(world: World) -> None:
    async def far_enough() -> bool:
        return len(world.phones.sent) >= 0.4 * 27

    await world.until(far_enough, within_s=60)


def test_nobody_is_lost_and_what_is_uncertain_is_marked_before_it_is_repeated(tmp_path: Path) -> None:
    loop = VirtualLoop()
    slow = "sms.rate_per_s = 12\n"

    async def story() -> None:
        async with running(
            tmp_path, loop=loop, phones=_slow, speakers=speakers_of(VILLAGES), settings=settings_for(tmp_path, slow)
        ) as world:
            alert_id = await world.release(flood())
            await _at_forty_percent(world)
            before = await world.ledger.read(invariants.standing)
            world.leave_behind(tmp_path / "left")
            begun = {one.attempt for one in world.phones.sent}
        left = tmp_path / "left"
        async with resumed(left, loop=loop, speakers=speakers_of(VILLAGES), settings=settings_for(left, slow)) as world:
            uncertain = {
                f"test-{row.leg_no}-{row.number}"
                for row in await world.query("SELECT leg_no, number FROM attempt WHERE state = 'unknown'")
            }
            assert uncertain, "the kill came when nothing was under way"
            assert not world.phones.sent, "something was sent again before it was marked"
            await world.clock.sleep(240)
            after = await world.ledger.read(invariants.standing)
            invariants.never_fell(before, after)
            again = [one for one in world.phones.sent if _first_of(one.attempt) in uncertain]
            assert all(one.repeated for one in again)
            assert all("重" in one.texts[0].text or "epeat" in one.texts[0].text for one in again if one.repeated)
            twice = {one.attempt for one in world.phones.sent} & begun
            assert not twice, "an attempt id was used for two texts"
            for village in VILLAGES:
                assert (await world.village(alert_id, village)).confirmed_at is not None
            silent = await world.query("SELECT no FROM delivery WHERE evidence = 0")
            assert not silent
            await world.check_invariants()

    run(story(), loop)


def _first_of(attempt: str) -> str:
    return attempt.rsplit("-", 1)[0] + "-1"
