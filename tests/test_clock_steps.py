"""A clock that is set an hour forward or back in the middle of a dispatch: waits stay as long as they are, lives end by the new time."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.simulation.acts import answering
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import World, resumed, running, settings_for
from warnd.channel import Accepted

HOUR = timedelta(hours=1)
OFFICER = f"officer-{VILLAGES[0]}"
SILENT = answering(Accepted("gateway"))
WAIT_S = 100  # Of the shipped red plan, for people.


def _sent_at(world: World, recipient: str) -> list[float]:
    return [at for one, at in zip(world.phones.sent, world.phones.at_s, strict=True) if one.recipient == recipient]


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
def test_repeats_come_when_they_would_have_come(tmp_path: Path, by: timedelta) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=SILENT) as world:
            await world.release(flood())
            await world.clock.sleep(30)
            world.clock.set(by)
            await world.clock.sleep(WAIT_S * 3)
            times = _sent_at(world, OFFICER)
            assert [round(later - times[0]) for later in times] == pytest.approx([0, WAIT_S, 2 * WAIT_S], abs=3)
            assert await world.one("SELECT count(*) FROM attempt WHERE state = 'unknown'") == 0
            assert await world.one("SELECT count(*) FROM event WHERE kind = 'clock.stepped'") == 1
            await world.check_invariants()

    run(story(), loop)


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
def test_what_has_not_left_yet_leaves_at_the_usual_pace(tmp_path: Path, by: timedelta) -> None:
    loop = VirtualLoop()
    slow = settings_for(tmp_path, "sms.rate_per_s = 4\nsms.concurrency = 4\n")

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=SILENT, settings=slow) as world:
            await world.release(flood())
            await world.clock.sleep(3)
            before = len(world.phones.sent)
            world.clock.set(by)
            await world.clock.sleep(30)
            told = {one.recipient for one in world.phones.sent}
            assert 0 < before < len(told)
            assert len(world.phones.sent) == len(told), "nobody was told twice"
            assert await world.one(
                "SELECT count(*) FROM delivery WHERE evidence = 0 AND region <> ''"
            ) == await world.one(
                "SELECT count(*) FROM delivery d JOIN recipient_version v ON v.no = d.version_no "
                "WHERE v.kind = 'terminal' AND d.evidence = 0"
            )
            await world.check_invariants()

    run(story(), loop)


def test_a_deadline_is_missed_by_its_span_and_not_by_the_clock(tmp_path: Path) -> None:
    loop = VirtualLoop()
    breached = "SELECT count(*) FROM delivery WHERE breached_at IS NOT NULL"

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=SILENT) as world:
            await world.release(flood())
            await world.clock.sleep(30)
            world.clock.set(HOUR)
            await world.clock.sleep(200)
            assert await world.one(breached) == 0
            await world.clock.sleep(100)  # Five minutes after the release.
            assert await world.one(breached) > 0

    run(story(), loop)


def test_a_life_ends_by_the_new_time(tmp_path: Path) -> None:
    """CAP 1.2 §3.2.2: `expires` is a moment of the calendar; a daemon that is told that it has passed cannot know better."""
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=SILENT) as world:
            short = await world.release(flood(life=timedelta(minutes=30)))
            long = await world.release(flood(identifier="QH-2", life=timedelta(hours=3)))
            await world.clock.sleep(10)
            world.clock.set(HOUR)
            await world.clock.sleep(5)
            assert await world.state(short) == "expired"
            assert await world.state(long) == "dispatching"
            sent = len(world.phones.sent)
            world.clock.set(-HOUR)
            await world.clock.sleep(30)
            assert len(world.phones.sent) == sent
            await world.check_invariants()

    run(story(), loop)


def test_a_clock_that_was_set_back_while_nobody_served_holds_nothing_up(tmp_path: Path) -> None:
    loop = VirtualLoop()
    slow = settings_for(tmp_path, "sms.rate_per_s = 4\nsms.concurrency = 4\n")

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=SILENT, settings=slow, start=START + HOUR) as world:
            await world.release(flood(sent=START + HOUR))
            await world.clock.sleep(2)
            told = {one.recipient for one in world.phones.sent}
        async with resumed(tmp_path, loop=loop, phones=SILENT, settings=slow) as world:
            await world.clock.sleep(30)
            later = {one.recipient for one in world.phones.sent}
            assert later - told, "those who were not told yet are told now, and not in an hour"
            assert await world.one("SELECT count(*) FROM leg WHERE channel = 'sms' AND state = 'due'") == 0

    run(story(), loop)
