"""What loudspeakers say: trouble is shown and tried again, copies count once, and whoever spoke is on the list."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.acts import answering, each, loudspeakers
from tests.simulation.county import VILLAGES, recipients_csv, with_drills
from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import OPERATOR, World, accepts, playback, resumed, running, settings_for, speakers_of
from warnd.channel import Accepted, Presence
from warnd.model.evidence import Evidence

V = VILLAGES
TERMINAL = f"term-{V[0]}"


async def _say(world: World, stage: Any, n: int, terminal: str = TERMINAL, **changed: Any) -> int | None:
    """Bring in a receipt about the newest thing that went to loudspeakers."""
    return await world.daemon.recorder.receipt(playback(world.speakers.sent[-1], terminal, stage, n=n, **changed))


def test_receipts_are_confirmed_up_to_the_first_gap_for_each_boot(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            await world.release(flood())
            await world.clock.sleep(2)
            assert await _say(world, "received", 1) == 1
            assert await _say(world, "played", 4) == 1
            assert await _say(world, "playing", 2) == 2
            assert await _say(world, "playing", 2) == 2
            assert await _say(world, "playing", 3) == 4
            assert await _say(world, "received", 2, boot_id="boot-2") == 0
            assert await _say(world, "received", 1, boot_id="boot-2") == 2
            assert await world.one("SELECT count(*) FROM terminal_receipt") == 6
            await world.check_invariants()

    run(story(), loop)


def test_a_loudspeaker_without_a_delivery_gets_one_by_what_it_heard_and_not_by_what_it_refused(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(2)
            await _say(world, "failed", 1, f"term-{V[5]}", reason="not_for_me")
            count = "SELECT count(*) FROM delivery d JOIN recipient r ON r.no = d.recipient_no WHERE r.id = :id"
            assert await world.one(count, id=f"term-{V[5]}") == 0
            await _say(world, "received", 2, f"term-{V[4]}")
            heard = await world.delivery(alert_id, f"term-{V[4]}")
            assert (heard.evidence, heard.state) == (Evidence.DELIVERED, "open")
            await world.clock.sleep(65)
            own = [one for one in world.speakers.sent if one.address == f"terminal:term-{V[4]}"]
            assert own, "it has the command and did not play: it is asked again"
            await _say(world, "played", 3, f"term-{V[4]}")
            assert (await world.delivery(alert_id, f"term-{V[4]}")).state == "satisfied"
            await world.check_invariants()

    run(story(), loop)


def test_a_whole_pass_later_than_the_deadline_confirms_the_village_late(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V, play_s=320)) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(330)
            village = await world.village(alert_id, V[0])
            assert (village.confirmed_at is not None, village.late) == (True, 1)
            terminal = await world.delivery(alert_id, TERMINAL)
            assert terminal.state == "satisfied"
            assert terminal.breached_at == terminal.due_by
            tally = (await world.query("SELECT confirmed, late FROM village_tally WHERE region = ''"))[0]
            assert (tally.confirmed, tally.late) == (len(V), len(V))
            await world.check_invariants()

    run(story(), loop)


def test_what_came_while_the_daemon_was_down_is_late_even_if_it_comes_before_the_first_look_at_the_clock(
    tmp_path: Path,
) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(20)
            sent = world.speakers.sent[-1]
            world.leave_behind(tmp_path / "later")
        later = START + timedelta(minutes=10)
        async with resumed(tmp_path / "later", loop=loop, start=later) as world:
            await world.daemon.recorder.receipt(playback(sent, TERMINAL, "played", n=1))
            terminal = await world.delivery(alert_id, TERMINAL)
            assert (terminal.state, terminal.breached_at) == ("satisfied", terminal.due_by)
            await world.clock.sleep(2)
            await world.check_invariants()

    run(story(), loop)


@pytest.mark.parametrize("level", ["red", "yellow"])
def test_a_village_without_a_loudspeaker_is_confirmed_as_its_level_says(tmp_path: Path, level: str) -> None:
    loop = VirtualLoop()
    bare = recipients_csv(without_terminal=(V[0],))

    async def story() -> None:
        async with running(tmp_path, loop=loop, recipients=bare) as world:
            alert_id = await world.release(flood(level=level))
            await world.clock.sleep(30)
            village = await world.village(alert_id, V[0])
            assert village.answered_at is not None
            assert (village.confirmed_at is None) == (level == "red")
            await world.check_invariants()

    run(story(), loop)


@pytest.mark.parametrize("heard", ["played", "answered"])
def test_at_yellow_playback_or_answer_confirms_a_village(tmp_path: Path, heard: str) -> None:
    loop = VirtualLoop()
    phones = {} if heard == "answered" else {"": answering(Accepted())}

    async def story() -> None:
        speakers = speakers_of(V) if heard == "played" else accepts
        async with running(tmp_path, loop=loop, phones=each(phones), speakers=speakers) as world:
            alert_id = await world.release(flood(level="yellow"))
            await world.clock.sleep(40)
            assert (await world.village(alert_id, V[0])).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_blue_is_not_played_at_night_and_is_played_at_six(tmp_path: Path) -> None:
    loop = VirtualLoop()
    start = START - timedelta(hours=2, minutes=1)  # 05:59 in China.

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V), start=start) as world:
            alert_id = await world.release(flood(level="blue", sent=start))
            await world.clock.sleep(55)
            assert not world.speakers.sent
            assert world.texts_to("chief"), "texts make no noise"
            await world.clock.sleep(60)
            assert world.speakers.sent
            assert (await world.village(alert_id, V[0])).played_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_a_stop_is_said_at_night_too(tmp_path: Path) -> None:
    loop = VirtualLoop()
    start = START - timedelta(hours=2, seconds=-10)  # 06:00:10 in China.

    async def story() -> None:
        async with running(tmp_path, loop=loop, start=start) as world:
            alert_id = await world.release(flood(level="blue", sent=start))
            await world.clock.sleep(5)
            world.leave_behind(tmp_path / "night")
        night = start + timedelta(hours=17)
        async with resumed(tmp_path / "night", loop=loop, start=night) as world:
            await world.daemon.desk.cancel(alert_id, kind="lift", reason="水退了", by=OPERATOR)
            await world.clock.sleep(5)
            assert {one.message.verb for one in world.speakers.sent} == {"stop"}

    run(story(), loop)


def test_presence_confirms_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(2)
            for village in V:
                said = Presence("mqtt", False, f"term-{village}", True, "boot", 60, "synced", "ok", 80, None)
                await world.daemon.recorder.receipt(said)
            await world.clock.sleep(30)
            assert await world.one("SELECT count(*) FROM target WHERE confirmed_at IS NOT NULL") == 0
            assert (await world.delivery(alert_id, TERMINAL)).evidence == Evidence.ACCEPTED
            await world.check_invariants()

    run(story(), loop)


def test_a_drill_uses_its_own_lanes_is_marked_and_never_public(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        settings = settings_for(tmp_path, with_drills(tmp_path))
        async with running(tmp_path, loop=loop, speakers=speakers_of(V), settings=settings) as world:
            alert_id = await world.release(flood(status="Exercise"))
            await world.clock.sleep(60)
            assert (await world.village(alert_id, V[0])).confirmed_at is not None
            assert all(
                "【演练】" in one.texts[0].text or "[EXERCISE]" in one.texts[0].text for one in world.phones.sent
            )
            assert not [one for one in world.phones.sent if (one.recipient or "").startswith("home")]
            assert all(one.message.drill for one in [*world.phones.sent, *world.speakers.sent])
            real = playback(world.speakers.sent[0], TERMINAL, "played", n=99, drill=False)
            await world.daemon.recorder.receipt(real)  # Of the other world: it belongs to no message here.
            await world.check_invariants()

    run(story(), loop)


def test_a_restricted_warning_reaches_named_roles_only(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(V)) as world:
            await world.release(flood(scope="Restricted", restriction="责任人"))
            await world.clock.sleep(70)
            assert not world.speakers.sent
            reached = {one.recipient for one in world.phones.sent}
            assert "chief" in reached
            assert f"officer-{V[0]}" in reached
            assert not {one for one in reached if one and one.startswith("home")}
            assert await world.one("SELECT max(public) FROM message") == 0
            await world.check_invariants()

    run(story(), loop)


def test_a_busy_loudspeaker_is_tried_again_until_it_has_played(tmp_path: Path) -> None:
    loop = VirtualLoop()

    def says(_terminal: str, before: int) -> Mapping[str, Any]:
        return {"stage": "failed", "reason": "higher_priority"} if before < 2 else {"stage": "played"}

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=loudspeakers(V, says)) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(10)
            assert (await world.village(alert_id, V[0])).played_at is None
            await world.clock.sleep(120)
            assert (await world.village(alert_id, V[0])).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)
