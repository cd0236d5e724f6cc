"""One message may end several chains, and a real warning ends the drills where it is: people are told once, loudspeakers in each chain."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from tests.simulation.county import COUNTY, TOWNSHIPS, VILLAGES, with_drills
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, World, running, settings_for, speakers_of
from warnd.channel import Report
from warnd.model.cap import Alert
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate

LIULIN, SHIQIAO = TOWNSHIPS
IN_LIULIN = [code for code in VILLAGES if code.startswith(LIULIN[:9])]
IN_SHIQIAO = [code for code in VILLAGES if code.startswith(SHIQIAO[:9])]


def _named(alert: Alert, event: str) -> Alert:
    return replace(alert, infos=tuple(replace(info, event=event) for info in alert.infos))


FLOOD = _named(flood(identifier="QH-1", codes=(LIULIN,)), "洪水")
STORM = _named(flood(identifier="QH-2", codes=(SHIQIAO,), level="orange"), "暴雨")
BOTH = (*cancel_of(FLOOD).references, *cancel_of(STORM).references)


def both_updated(*, identifier: str = "QH-3", later: timedelta = timedelta(minutes=1), codes: tuple[str, ...]) -> Alert:
    """Return an Update that refers to both warnings."""
    update = flood(
        identifier=identifier, msg_type="Update", references=BOTH, codes=codes, sent=FLOOD.sent + later, level="red"
    )
    return _named(update, "山洪")


async def _told_by(world: World, recipient: str) -> list[str]:
    """Return the ids of the messages that one person's phone got, each once, in order."""
    return list(dict.fromkeys(one.message.id for one in world.texts_to(recipient)))


def _stops(world: World, chain_id: str) -> list[str]:
    """Return the topics on which a chain was stopped."""
    sent = [one for one in world.speakers.sent if one.message.chain_id == chain_id and one.message.verb == "stop"]
    return [one.address for one in sent if one.recipient is None]


def test_a_cancel_of_two_chains_ends_both_and_names_to_each_what_is_over(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            flood_id, storm_id = await world.release(FLOOD), await world.release(STORM)
            await world.clock.sleep(30)
            cancel_id = await world.release(cancel_of(FLOOD, identifier="QH-9", references=BOTH))
            await world.clock.sleep(40)
            assert {await world.state(flood_id), await world.state(storm_id)} == {"cancelled"}
            (in_liulin,) = {
                one.texts[0].text for one in world.texts_to(f"home-{IN_LIULIN[0]}-0") if one.message.kind == "cancel"
            }
            (in_shiqiao,) = {
                one.texts[0].text for one in world.texts_to(f"home-{IN_SHIQIAO[0]}-0") if one.message.kind == "cancel"
            }
            assert "洪水" in in_liulin
            assert "暴雨" in in_shiqiao
            assert _stops(world, flood_id) == [f"region:{LIULIN}"]
            assert _stops(world, storm_id) == [f"region:{SHIQIAO}"]
            told = await world.query(
                "SELECT m.id, d.state FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no "
                "WHERE m.kind = 'cancel' AND r.id = :id",
                id=f"term-{IN_SHIQIAO[0]}",
            )
            assert [row.state for row in told] == ["satisfied"]
            assert told[0].id != cancel_id
            again = await world.submit(cancel_of(FLOOD, identifier="QH-9", references=BOTH))
            assert again.fate is Fate.SAME
            await world.check_invariants()

    run(story(), loop)


def test_an_update_of_two_chains_replaces_both_and_nobody_hears_that_anything_was_cancelled(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            flood_id, storm_id = await world.release(FLOOD), await world.release(STORM)
            await world.clock.sleep(30)
            update_id = await world.release(both_updated(codes=(COUNTY,)))
            await world.clock.sleep(60)
            assert {await world.state(flood_id), await world.state(storm_id)} == {"superseded"}
            assert await _told_by(world, f"home-{IN_SHIQIAO[0]}-0") == [storm_id, update_id]
            assert await _told_by(world, f"home-{IN_LIULIN[0]}-0") == [flood_id, update_id]
            assert _stops(world, storm_id) == [f"region:{SHIQIAO}"], "its loudspeakers keep the old text"
            assert not _stops(world, flood_id), "the new version is in this chain"
            assert (await world.village(update_id, IN_SHIQIAO[0])).confirmed_at is not None
            late = await world.submit(
                flood(
                    identifier="QH-4",
                    msg_type="Update",
                    references=cancel_of(STORM).references,
                    codes=(SHIQIAO,),
                    sent=STORM.sent + timedelta(seconds=30),
                )
            )
            assert late.fate is Fate.OVERTAKEN
            await world.check_invariants()

    run(story(), loop)


def test_a_chain_that_had_taken_another_over_cancels_nothing_when_it_is_taken_over_itself(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            rain = _named(flood(identifier="QH-0", codes=(COUNTY,), level="blue"), "强降雨")
            await world.release(rain)  # The first, so that its chain is the one that goes on.
            flood_id, storm_id = await world.release(FLOOD), await world.release(STORM)
            await world.clock.sleep(30)
            update_id = await world.release(both_updated(codes=(COUNTY,)))
            await world.clock.sleep(30)
            last = flood(
                identifier="QH-6",
                msg_type="Update",
                references=(*cancel_of(rain).references, *cancel_of(FLOOD).references),
                codes=(COUNTY,),
                sent=FLOOD.sent + timedelta(minutes=3),
                level="red",
            )
            last_id = await world.release(last)
            await world.clock.sleep(60)
            assert await world.state(update_id) == "superseded"
            for home, first in ((f"home-{IN_SHIQIAO[0]}-0", storm_id), (f"home-{IN_LIULIN[0]}-0", flood_id)):
                told = await _told_by(world, home)
                assert first in told
                assert told[-1] == last_id
                assert not [one for one in world.texts_to(home) if one.message.kind == "cancel"], "nothing is over"
            await world.check_invariants()

    run(story(), loop)


def test_those_of_the_other_chain_outside_the_new_area_are_told_so(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            await world.release(FLOOD)
            storm_id = await world.release(STORM)
            await world.clock.sleep(30)
            update_id = await world.release(both_updated(codes=(LIULIN,)))
            await world.clock.sleep(40)
            home = f"home-{IN_SHIQIAO[0]}-0"
            assert await _told_by(world, home) == [storm_id, update_id]
            assert (await world.delivery(update_id, home)).purpose == "area"
            cancelled = await world.daemon.desk.cancel(storm_id, kind="lift", reason="水退了", by=OPERATOR)
            assert cancelled.fate is Fate.RELEASED
            await world.clock.sleep(30)
            assert await world.state(update_id) == "cancelled"
            assert (await _told_by(world, home))[-1] == cancelled.warning_id
            await world.check_invariants()

    run(story(), loop)


def test_a_late_receipt_of_the_other_chain_adds_its_reader_to_the_update(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            await world.release(FLOOD)
            storm_id = await world.release(STORM)
            await world.clock.sleep(1)
            home = f"home-{IN_SHIQIAO[1]}-0"
            tried = world.texts_to(home)[0]
            await world.ledger.write(_forget, attempt=tried.attempt)
            update_id = await world.release(both_updated(codes=(LIULIN,)))
            await world.planned(update_id)
            await world.daemon.recorder.receipt(Report("sms", tried.attempt, Evidence.DELIVERED))
            await world.clock.sleep(20)
            assert await _told_by(world, home) == [storm_id, update_id]

    run(story(), loop)


def _forget(conn: Connection, *, attempt: str) -> None:
    """Make it look as if the gateway had refused a text that it sent all the same."""
    _, leg, number = attempt.rsplit("-", 2)
    named = {"leg": int(leg), "number": int(number)}
    conn.execute(text("UPDATE attempt SET state = 'failed' WHERE leg_no = :leg AND number = :number"), named)
    conn.execute(
        text("UPDATE delivery SET evidence = 0 WHERE no = (SELECT delivery_no FROM leg WHERE no = :leg)"), named
    )


def test_a_real_warning_ends_the_drill_where_it_is_and_leaves_others_alone(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        settings = settings_for(tmp_path, with_drills(tmp_path))
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES), settings=settings) as world:
            drill_id = await world.release(replace(FLOOD, identifier="D-1", status="Exercise"))
            elsewhere_id = await world.release(replace(STORM, identifier="D-2", status="Exercise"))
            await world.clock.sleep(5)
            real_id = await world.release(flood(identifier="QH-7", codes=(IN_LIULIN[0],)))
            assert await world.state(drill_id) == "cancelled"
            assert await world.state(elsewhere_id) == "dispatching"
            await world.clock.sleep(30)
            stops = [one for one in world.speakers.sent if one.message.verb == "stop"]
            assert {(one.message.chain_id, one.message.drill) for one in stops} == {(drill_id, True)}
            told = [one for one in world.texts_to(f"officer-{IN_LIULIN[0]}") if one.message.kind == "cancel"]
            assert all("演练" in one.texts[0].text and "真实预警" in one.texts[0].text for one in told)
            assert told
            assert not [one for one in world.phones.sent if one.message.id == real_id and "演练" in one.texts[0].text]
            (why,) = await world.query("SELECT data FROM event WHERE kind = 'drill.ended'")
            assert real_id in why.data
            mixed = await world.query(
                "SELECT l.no FROM leg l JOIN message m ON m.no = l.message_no WHERE m.id = :id AND l.lane LIKE '%drill%'",
                id=real_id,
            )
            assert not mixed
            await world.check_invariants()

    run(story(), loop)
