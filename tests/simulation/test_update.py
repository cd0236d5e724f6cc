"""An Update replaces the older version at once: the new area hears it, and who is outside it now is told so, once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.simulation.acts import answering, each, hearing
from tests.simulation.county import TOWNSHIPS, VILLAGES, recipients_csv
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, World, accepts, playback, running, speakers_of
from warnd.channel import Accepted, Failed
from warnd.model.authority import Principal
from warnd.model.cap import Alert
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate

_EMAIL = 7  # Column of recipients.csv.
CLERK = Principal(name="clerk", scope="submit")
LIULIN, SHIQIAO = TOWNSHIPS
IN_LIULIN = [code for code in VILLAGES if code.startswith(LIULIN[:9])]
IN_SHIQIAO = [code for code in VILLAGES if code.startswith(SHIQIAO[:9])]


def update_of(alert: Alert, *, number: int = 2, later: timedelta = timedelta(minutes=1), **changed: Any) -> Alert:
    """Return an Update of an alert."""
    return flood(
        identifier=f"QH-{number}",
        msg_type="Update",
        references=cancel_of(alert).references,
        sent=alert.sent + later,
        **changed,
    )


async def _pass(world: World, seconds: float) -> None:
    await world.clock.sleep(seconds)


async def _purposes(world: World, warning_id: str) -> dict[str, str]:
    rows = await world.query(
        "SELECT r.id, d.purpose FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no "
        "WHERE m.id = :id",
        id=warning_id,
    )
    return {row.id: row.purpose for row in rows}


def test_an_update_drops_the_unsent_rest_and_old_proof_does_not_count(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            alert = flood(level="orange")
            alert_id = await world.release(alert)
            await _pass(world, 40)
            assert (await world.village(alert_id, VILLAGES[0])).confirmed_at is not None
            update_id = await world.release(update_of(alert, level="red"))
            await world.planned(update_id)
            assert await world.state(alert_id) == "superseded"
            assert (await world.village(update_id, VILLAGES[0])).confirmed_at is None
            sent_before = len([one for one in world.phones.sent if one.message.id == alert_id])
            await _pass(world, 60)
            assert len([one for one in world.phones.sent if one.message.id == alert_id]) == sent_before
            assert (await world.village(update_id, VILLAGES[0])).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_a_smaller_area_is_told_to_those_outside_once_and_stops_their_loudspeakers(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=accepts) as world:
            alert = flood()
            await world.release(alert)
            await _pass(world, 40)
            update_id = await world.release(update_of(alert, codes=(LIULIN,)))
            await _pass(world, 40)
            purposes = await _purposes(world, update_id)
            assert {purposes[f"officer-{code}"] for code in IN_LIULIN} == {"warning"}
            assert {purposes[f"officer-{code}"] for code in IN_SHIQIAO} == {"area"}
            assert purposes[f"leader-{SHIQIAO}"] == "area"
            assert purposes[f"home-{IN_SHIQIAO[0]}-0"] == "area"
            assert purposes[f"term-{IN_SHIQIAO[0]}"] == "area"
            told = [one for one in world.texts_to(f"home-{IN_SHIQIAO[0]}-0") if one.message.id == update_id]
            assert len(told) == 1
            assert "回复" not in told[0].texts[0].text
            topics = {
                one.address: one for one in world.speakers.sent if one.message.id == update_id and not one.recipient
            }
            old_topic = next(one for address, one in topics.items() if address != f"region:{LIULIN}")
            assert old_topic.regions == (LIULIN,)
            assert topics[f"region:{LIULIN}"].regions is None
            await world.check_invariants()

    run(story(), loop)


def test_those_who_cannot_have_heard_the_old_version_are_not_told_of_its_area(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            world.phones.down = "The gateway is gone. Call it."
            alert = flood()
            await world.release(alert)
            await _pass(world, 5)
            update_id = await world.release(update_of(alert, codes=(LIULIN,)))
            await _pass(world, 5)
            purposes = await _purposes(world, update_id)
            assert f"officer-{IN_SHIQIAO[0]}" not in purposes
            assert purposes[f"term-{IN_SHIQIAO[0]}"] == "area"  # Its topic was taken.
            await world.check_invariants()

    run(story(), loop)


def test_a_wider_area_reaches_the_new_part(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            alert = flood(codes=(LIULIN,))
            await world.release(alert)
            await _pass(world, 40)
            assert not world.texts_to(f"officer-{IN_SHIQIAO[0]}")
            update_id = await world.release(update_of(alert))
            await _pass(world, 60)
            assert (await world.village(update_id, IN_SHIQIAO[0])).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_an_update_that_was_not_sent_later_changes_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            await world.release(alert)
            newer_id = await world.release(update_of(alert, later=timedelta(minutes=4)))
            for number, later in ((3, timedelta(minutes=4)), (4, timedelta(minutes=2))):
                late = await world.submit(update_of(alert, number=number, later=later, level="blue"))
                assert late.fate is Fate.OVERTAKEN
                assert late.warning_id is not None
                assert await world.state(late.warning_id) == "superseded"
            await _pass(world, 5)
            assert await world.state(newer_id) == "dispatching"
            assert {one.message.id for one in world.texts_to("chief")} == {newer_id}
            await world.check_invariants()

    run(story(), loop)


def test_a_version_that_only_waits_overtakes_nothing_and_is_not_lost_to_an_older_one(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            await world.release(alert)
            waiting = await world.submit(update_of(alert, number=3, later=timedelta(minutes=4)), by=CLERK)
            assert waiting.warning_id is not None
            older_id = await world.release(update_of(alert, number=2, later=timedelta(minutes=2)))
            assert await world.state(waiting.warning_id) == "in_review"
            approved = await world.daemon.desk.approve(waiting.warning_id, by=OPERATOR)
            assert approved.fate is Fate.RELEASED
            assert await world.state(older_id) == "superseded"
            seqs = await world.query("SELECT id, seq FROM message ORDER BY seq")
            assert [row.id for row in seqs][-1] == waiting.warning_id
            await _pass(world, 5)
            await world.check_invariants()

    run(story(), loop)


def test_an_update_that_came_before_its_alert_replaces_it_once_approved(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            update = await world.submit(update_of(alert))
            assert update.fate is Fate.HELD
            assert update.warning_id is not None
            alert_id = await world.release(alert)
            await world.daemon.desk.approve(update.warning_id, by=OPERATOR)
            assert await world.state(alert_id) == "superseded"
            await _pass(world, 5)
            await world.check_invariants()

    run(story(), loop)


def test_an_alert_that_comes_after_its_approved_update_changes_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            update = await world.submit(update_of(alert))
            assert update.warning_id is not None
            await world.daemon.desk.approve(update.warning_id, by=OPERATOR)
            late = await world.submit(alert)
            assert late.fate is Fate.OVERTAKEN
            await _pass(world, 5)
            assert {one.message.id for one in world.phones.sent} == {update.warning_id}
            await world.check_invariants()

    run(story(), loop)


def test_a_loudspeaker_that_took_the_update_as_a_stop_is_not_counted_as_warned(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(IN_LIULIN)) as world:
            alert = flood()
            await world.release(alert)
            await _pass(world, 5)
            update_id = await world.release(update_of(alert, codes=(LIULIN,)))
            await _pass(world, 1)
            sent = next(one for one in world.speakers.sent if one.message.id == update_id and one.regions)
            assert f"term-{IN_SHIQIAO[0]}" in hearing(sent, VILLAGES)
            await _stopped(world, sent.message.id, sent.message.seq)
            told = await world.delivery(update_id, f"term-{IN_SHIQIAO[0]}")
            assert (told.purpose, told.state, told.evidence) == ("area", "satisfied", Evidence.DELIVERED)
            await world.check_invariants()

    run(story(), loop)


async def _stopped(world: World, message_id: str, seq: int) -> None:
    """Bring in the word of a loudspeaker outside the new area that it fell silent."""
    sent = next(one for one in world.speakers.sent if one.message.id == message_id)
    said = replace(sent.message, seq=seq)
    await world.daemon.recorder.receipt(
        playback(replace(sent, message=said), f"term-{IN_SHIQIAO[0]}", "stopped", n=1, boot_id="another")
    )


def _by_mail_too(*people: str) -> str:
    """Return the county's people, some with a mail address beside their phone."""
    head, *lines = recipients_csv().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[_EMAIL] = f"{row[0]}@qinghe.example" if row[0] in people else ""
    return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"


def test_a_new_version_goes_at_once_where_an_older_one_was_heard_though_the_plan_keeps_that_channel_for_later(
    tmp_path: Path,
) -> None:
    """The officer's phone failed, so orange came by mail; red must not leave that mail standing until the phone has failed again."""
    loop, officer = VirtualLoop(), f"officer-{VILLAGES[0]}"
    phones = each({officer: answering(Failed("no such number", retry="permanent"))})

    async def story() -> None:
        people = _by_mail_too(officer, "chief")
        async with running(tmp_path, loop=loop, phones=phones, mail=answering(Accepted()), recipients=people) as world:
            assert world.mail is not None
            alert = flood(level="yellow")
            await world.release(alert)
            await _pass(world, 10)
            assert {one.recipient for one in world.mail.sent} == {officer}, "mail should stand by for the others"
            phones_before = len(world.texts_to(officer))
            world.phones.down = "The gateway is gone. Call it."
            update_id = await world.release(update_of(alert, level="yellow"))
            await _pass(world, 10)
            assert [one.recipient for one in world.mail.sent if one.message.id == update_id] == [officer]
            assert len(world.texts_to(officer)) == phones_before
            await world.check_invariants()

    run(story(), loop)
