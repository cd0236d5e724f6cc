"""Scenario 11: orange becomes red in mid-dispatch. The unsent orange is dropped, everybody gets red, nothing of orange counts for it."""

from datetime import timedelta
from pathlib import Path

from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import World, accepts, obedient_phone, running, settings_for, speakers_of
from warnd.channel import Reply
from warnd.ledger.values import to_ms
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate

_SLOW = "sms.rate_per_s = 4\n"
ORANGE = flood(level="orange", identifier="QH-1")
RED = flood(
    level="red",
    identifier="QH-2",
    msg_type="Update",
    references=cancel_of(ORANGE).references,
    sent=ORANGE.sent + timedelta(minutes=1),
)


def _when(world: World, warning_id: str) -> list[float]:
    return [at for one, at in zip(world.phones.sent, world.phones.at_s, strict=True) if one.message.id == warning_id]


def test_everybody_gets_red_and_orange_is_dropped_where_it_was_not_sent(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        settings = settings_for(tmp_path, _SLOW)
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES), settings=settings) as world:
            orange_id = await world.release(ORANGE)

            async def some_have_it() -> bool:
                return len(world.phones.sent) >= 12

            await world.until(some_have_it, within_s=30)
            red_id = await world.release(RED)
            at = (await world.one("SELECT released_at FROM message WHERE id = :id", id=red_id) - to_ms(START)) / 1000
            await world.clock.sleep(90)
            assert max(_when(world, orange_id)) <= at + 2
            assert len({one.recipient for one in world.phones.sent if one.message.id == orange_id}) < 27
            everybody = {row.id for row in await world.query("SELECT id FROM recipient WHERE id NOT LIKE 'deputy%'")}
            told = {one.recipient for one in world.phones.sent if one.message.id == red_id}
            assert {one for one in everybody if not one.startswith("term-")} <= told
            speakers = [one.message.id for one in world.speakers.sent if one.recipient is None]
            assert speakers == [orange_id, red_id]
            assert world.speakers.at_s[1] - at < 2, "loudspeakers are told first"
            assert await world.state(orange_id) == "superseded"
            for village in VILLAGES:
                assert (await world.village(red_id, village)).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_an_answer_to_orange_does_not_confirm_red_and_red_has_its_own_clock(tmp_path: Path) -> None:
    loop = VirtualLoop()
    officer = f"officer-{VILLAGES[0]}"

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=accepts) as world:
            orange_id = await world.release(ORANGE)
            await world.clock.sleep(100)
            asked = world.texts_to(officer)[0]
            digit = asked.texts[0].text.split("回复")[1][0]
            red_id = await world.release(RED)
            await world.clock.sleep(5)
            await world.daemon.recorder.receipt(Reply("sms", asked.address, digit))
            await world.clock.sleep(5)
            old, new = await world.delivery(orange_id, officer), await world.delivery(red_id, officer)
            assert (old.evidence, old.satisfied_at) == (Evidence.ACKNOWLEDGED, None)
            assert new.evidence == Evidence.ACCEPTED
            assert (await world.village(red_id, VILLAGES[0])).answered_at is None
            released = await world.one("SELECT released_at FROM message WHERE id = :id", id=red_id)
            assert new.due_by == released + 5 * 60 * 1000, "the clock begins anew"
            await world.check_invariants()

    run(story(), loop)


def test_a_late_older_update_changes_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=obedient_phone, speakers=speakers_of(VILLAGES)) as world:
            await world.release(ORANGE)
            red_id = await world.release(RED)
            await world.clock.sleep(40)
            before = (len(world.phones.sent), len(world.speakers.sent))
            late = flood(
                level="yellow",
                identifier="QH-3",
                msg_type="Update",
                references=cancel_of(ORANGE).references,
                sent=ORANGE.sent + timedelta(seconds=30),
            )
            told = await world.submit(late)
            assert told.fate is Fate.OVERTAKEN
            await world.clock.sleep(10)
            assert (len(world.phones.sent), len(world.speakers.sent)) == before
            assert await world.state(red_id) in {"dispatching", "completed"}
            await world.check_invariants()

    run(story(), loop)
