"""An answer by a link in a mail does all that a reply to a text does."""

from pathlib import Path

from tests.simulation.acts import answering, reporting
from tests.simulation.county import VILLAGES, recipients_csv
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import ANSWER_KEY, World, running, speakers_of
from warnd.channel import Accepted, Outgoing, Reply, Report
from warnd.model.answer import attempt_of
from warnd.model.evidence import Evidence

V = VILLAGES
OFFICER = f"officer-{V[0]}"
TAKES = answering(Accepted("250 queued"))


def _recipients(*, seats: str = "information_officer") -> str:
    """Return the county's people; the first officer has a mail address, and so has a household."""

    def change(line: str) -> str:
        if line.startswith(f"{OFFICER},"):
            return line.replace(",information_officer,", f",{seats},").replace(
                "13800000000,,", "13800000000,wang@qinghe.example,"
            )
        return line.replace("13700000000,,", "13700000000,home@qinghe.example,")

    return "\n".join(change(line) for line in recipients_csv().splitlines()) + "\n"


def _mails(world: World) -> list[Outgoing]:
    assert world.mail is not None
    return [one for one in world.mail.sent if one.recipient == OFFICER]


def _linked(mail: Outgoing) -> str:
    """Return the attempt that the mail's link names."""
    assert mail.answer_url is not None
    base, _, token = mail.answer_url.rpartition("/a/")
    assert base == "http://127.0.0.1"
    attempt = attempt_of(ANSWER_KEY, token)
    assert attempt == mail.attempt
    return attempt


async def _press(world: World, mail: Outgoing) -> None:
    await world.daemon.recorder.receipt(Report("email", _linked(mail), Evidence.ACKNOWLEDGED))


def test_a_mail_to_a_seat_has_a_link_and_no_digit_and_nobody_else_gets_one(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, mail=TAKES, recipients=_recipients()) as world:
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(5)
            mail = _mails(world)[0]
            assert _linked(mail) == mail.attempt
            assert "回复" not in mail.texts[0].text
            assert "回复" in world.texts_to(OFFICER)[0].texts[0].text
            assert all(one.answer_url is None for one in world.phones.sent)
            await world.check_invariants()

    run(story(), loop)


def test_one_press_serves_every_seat_closes_the_digit_and_ends_every_channel(tmp_path: Path) -> None:
    loop = VirtualLoop()
    seats = f"information_officer@{V[0]};information_officer@{V[1]}"

    async def story() -> None:
        people = _recipients(seats=seats)
        async with running(
            tmp_path,
            loop=loop,
            phones=reporting,
            speakers=speakers_of(V),
            mail=TAKES,
            recipients=people,
        ) as world:
            alert_id = await world.release(flood(codes=(V[0], V[1])))
            await world.clock.sleep(40)
            await _press(world, _mails(world)[0])
            assert (await world.delivery(alert_id, OFFICER)).state == "satisfied"
            assert (await world.village(alert_id, V[0])).confirmed_at is not None
            assert (await world.village(alert_id, V[1])).answered_at is not None
            open_there = "SELECT count(*) FROM reply_digit WHERE address = '+8613800000000' AND closed_at IS NULL"
            assert await world.one(open_there) == 0
            texts = len(world.texts_to(OFFICER))
            await world.clock.sleep(400)
            assert (len(world.texts_to(OFFICER)), len(_mails(world))) == (texts, 1)
            await world.check_invariants()

    run(story(), loop)


def test_a_bare_word_means_the_other_warning_once_the_first_is_answered_by_its_link(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, mail=TAKES, recipients=_recipients()) as world:
            ids = [await world.release(flood(identifier=f"QH-{n}", codes=(V[0],))) for n in (1, 2)]
            await world.clock.sleep(5)
            await _press(world, next(one for one in _mails(world) if one.message.id == ids[0]))
            await world.daemon.recorder.receipt(Reply("sms", "+8613800000000", "收到", at=world.clock.now()))
            for each in ids:
                assert (await world.delivery(each, OFFICER)).evidence == Evidence.ACKNOWLEDGED
            await world.check_invariants()

    run(story(), loop)


def test_the_link_of_an_older_try_still_answers_and_twice_is_once(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, mail=TAKES, recipients=_recipients()) as world:
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(120)
            assert len(_mails(world)) == 2
            for _ in range(2):
                await _press(world, _mails(world)[0])
            delivery = await world.delivery(alert_id, OFFICER)
            assert (delivery.evidence, delivery.state) == (Evidence.ACKNOWLEDGED, "satisfied")
            assert await world.one("SELECT count(*) FROM receipt WHERE channel = 'email'") == 1
            await world.check_invariants()

    run(story(), loop)


def test_an_answer_after_the_cancel_is_kept_and_shown_as_late(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, mail=TAKES, recipients=_recipients()) as world:
            alert = flood(codes=(V[0],))
            alert_id = await world.release(alert)
            await world.clock.sleep(5)
            cancel_id = await world.release(cancel_of(alert))
            await world.clock.sleep(5)
            await _press(world, _mails(world)[0])
            delivery = await world.delivery(alert_id, OFFICER)
            assert (delivery.evidence, delivery.satisfied_at) == (Evidence.ACKNOWLEDGED, None)
            cancels = [one for one in _mails(world) if one.message.id == cancel_id]
            assert [one.answer_url for one in cancels] == [None]
            await world.check_invariants()

    run(story(), loop)
