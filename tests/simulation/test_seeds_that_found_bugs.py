"""Bugs that seeds have found, told as stories, because a seed means something else after every change of the scenarios.

To see the seed that shows one today: take the mend back in a copy of the tree and play seeds there until one fails.
"""

from pathlib import Path

from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run, simulated
from tests.simulation.world import Act, Wire, obedient_phone, running
from warnd.channel import Accepted, Failed, Outcome, Outgoing, Reply, Report
from warnd.model.evidence import Evidence

OFFICER = f"officer-{VILLAGES[0]}"


def _only(who: str, acts: list[Act]) -> Act:
    """Return phones of which one's tries go as told, one after the other."""
    tries = 0

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        nonlocal tries
        if outgoing.recipient != who:
            return await obedient_phone(outgoing, wire)
        tries += 1
        return await acts[min(tries, len(acts)) - 1](outgoing, wire)

    return act


async def _half_of_it(outgoing: Outgoing, wire: Wire) -> Outcome:
    about = outgoing.attempt
    await wire.bring(Report("sms", about, Evidence.DELIVERED, part=1, parts=2), after_s=1)
    await wire.bring(Report("sms", about, Evidence.NONE, failed=True, part=2, parts=2), after_s=2)
    return Accepted("taken")


async def _not_now(_outgoing: Outgoing, _wire: Wire) -> Outcome:
    return Failed("503 unavailable")


async def _silent(_outgoing: Outgoing, _wire: Wire) -> Outcome:
    return Accepted("taken")


async def _answered_and_lost_under_way(outgoing: Outgoing, wire: Wire) -> Outcome:
    await wire.bring(Reply("sms", outgoing.address, "1"), after_s=1)
    await wire.bring(Report("sms", outgoing.attempt, Evidence.NONE, failed=True), after_s=2)
    await simulated(20)
    return Accepted("taken")


def test_what_arrived_in_part_is_repeated_as_a_repeat_even_after_a_try_that_did_not_leave(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = _only(OFFICER, [_half_of_it, _not_now, _silent])
        async with running(tmp_path, loop=loop, phones=phones) as world:
            await world.release(flood(codes=(VILLAGES[0],)))
            await world.clock.sleep(30)
            assert [one.repeated for one in world.texts_to(OFFICER)][:3] == [False, True, True]
            await world.check_invariants()

    run(story(), loop)


def test_a_try_that_is_reported_lost_while_it_is_under_way_is_no_longer_leased_when_its_reader_has_answered(
    tmp_path: Path,
) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = _only(OFFICER, [_silent, _answered_and_lost_under_way])
        async with running(tmp_path, loop=loop, phones=phones) as world:
            alert_id = await world.release(flood(codes=(VILLAGES[0],)))
            await world.clock.sleep(104)
            assert (await world.delivery(alert_id, OFFICER)).state == "satisfied"
            await world.check_invariants()
            await world.clock.sleep(30)
            await world.check_invariants()

    run(story(), loop)


async def _lost_before_it_was_taken(outgoing: Outgoing, wire: Wire) -> Outcome:
    await wire.bring(Report("sms", outgoing.attempt, Evidence.NONE, failed=True), after_s=0.1)
    await simulated(3)
    return Accepted("taken")


def test_whoever_was_taken_for_unreached_when_the_cancel_was_planned_is_told_once_the_gateway_says_it_took_it(
    tmp_path: Path,
) -> None:
    loop = VirtualLoop()
    home = f"home-{VILLAGES[0]}-0"

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=_only(home, [_lost_before_it_was_taken, _silent])) as world:
            alert = flood(codes=(VILLAGES[0],))
            await world.release(alert)
            await world.clock.sleep(1)
            await world.release(cancel_of(alert))
            await world.clock.sleep(10)
            assert [one.message.kind for one in world.texts_to(home)] == ["warning", "cancel"]
            await world.check_invariants()

    run(story(), loop)
