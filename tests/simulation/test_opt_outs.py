"""Whoever asks for no more messages is left alone, unless they hold a seat; nobody is told in secret, and nobody is lost in secret."""

from datetime import timedelta
from pathlib import Path

from tests.simulation.acts import reporting
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, World, running
from warnd.channel import Reply
from warnd.ledger import views
from warnd.model import cap
from warnd.model.evidence import Evidence
from warnd.model.preview import Preview

V = VILLAGES
HOME = f"home-{V[0]}-0"
NEXT = f"home-{V[0]}-1"
OFFICER = f"officer-{V[0]}"
PHONE = {HOME: "+8613700000000", OFFICER: "+8613800000000"}


async def _says(world: World, who: str, said: str) -> None:
    await world.daemon.recorder.receipt(Reply("sms", PHONE[who], said, at=world.clock.now()))


async def _kinds(world: World) -> list[str]:
    rows = await world.query("SELECT kind FROM event WHERE kind LIKE 'opt_out.%' ORDER BY no")
    return [row.kind for row in rows]


def test_the_public_is_left_alone_from_the_next_warning_on(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            await _says(world, HOME, "STOP")
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.planned(alert_id)
            await world.clock.sleep(3)
            assert not world.texts_to(HOME)
            assert world.texts_to(NEXT)
            assert (await world.delivery(alert_id, HOME)).state == "exhausted"
            told = await world.ledger.read(views.explain, warning_id=alert_id, recipient_id=HOME, now=world.clock.now())
            assert told is not None
            assert [(one.channel, one.obliged) for one in told.opted_out] == [("sms", False)]
            assert await _kinds(world) == ["opt_out.asked"]
            await world.check_invariants()

    run(story(), loop)


def test_a_text_that_was_planned_before_the_request_is_not_sent_after_it(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            world.phones.down = "no line"
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.planned(alert_id)
            await _says(world, HOME, "退订")
            world.phones.down = None
            await world.clock.sleep(5)
            assert not world.texts_to(HOME)
            assert world.texts_to(NEXT)
            assert (await world.delivery(alert_id, HOME)).state == "exhausted"
            assert await _kinds(world) == ["opt_out.asked", "opt_out.spared"]
            await world.check_invariants()

    run(story(), loop)


def test_whoever_holds_a_seat_is_told_all_the_same_and_it_is_seen_before_and_after(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            await _says(world, OFFICER, "stop")
            await _says(world, HOME, "stop")
            seen = await world.daemon.desk.preview(cap.write(flood(codes=(V[0],))), by=OPERATOR)
            assert isinstance(seen, Preview)
            assert [(one.recipient, one.channel) for one in seen.opted_out] == [(OFFICER, "sms")]
            assert PHONE[OFFICER] not in seen.opted_out[0].address_masked
            assert seen.households == 2
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(5)
            assert len(world.texts_to(OFFICER)) == 1
            told = await world.ledger.read(
                views.explain, warning_id=alert_id, recipient_id=OFFICER, now=world.clock.now()
            )
            assert told is not None
            assert [one.obliged for one in told.opted_out] == [True]
            delivery = await world.delivery(alert_id, OFFICER)
            overruled = await world.one("SELECT data FROM event WHERE kind = 'opt_out.overruled'")
            assert overruled == f'{{"deliveries":[{delivery.no}]}}'
            await world.check_invariants()

    run(story(), loop)


def test_stop_answers_no_message(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            alert_id = await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(5)
            await _says(world, OFFICER, "STOP")
            assert (await world.delivery(alert_id, OFFICER)).evidence == Evidence.DELIVERED
            await _says(world, OFFICER, "收到")
            assert (await world.delivery(alert_id, OFFICER)).evidence == Evidence.ACKNOWLEDGED
            await world.check_invariants()

    run(story(), loop)


def test_whoever_asked_for_silence_after_the_alert_stands_as_not_reached_by_the_cancel(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            alert = flood(codes=(V[0],))
            await world.release(alert)
            await world.clock.sleep(5)
            assert world.texts_to(HOME)
            await _says(world, HOME, "TD")
            cancel_id = await world.release(cancel_of(alert))
            await world.clock.sleep(5)
            assert len(world.texts_to(HOME)) == 1
            assert len(world.texts_to(NEXT)) == 2
            assert (await world.delivery(cancel_id, HOME)).state == "exhausted"
            await world.check_invariants()

    run(story(), loop)


def test_whoever_comes_back_is_told_again(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            await _says(world, HOME, "STOP")
            await world.clock.sleep(1)
            await _says(world, HOME, "START")
            await world.release(flood(codes=(V[0],)))
            await world.clock.sleep(5)
            assert world.texts_to(HOME)
            assert await _kinds(world) == ["opt_out.asked", "opt_out.ended"]
            await world.check_invariants()

    run(story(), loop)


def test_a_gateway_that_tells_no_times_is_heard_every_time(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            for said in ("STOP", "START", "STOP"):
                await world.daemon.recorder.receipt(Reply("sms", PHONE[HOME], said))
            assert await world.one("SELECT count(*) FROM opt_out") == 1
            assert await _kinds(world) == ["opt_out.asked", "opt_out.ended", "opt_out.asked"]

    run(story(), loop)


def test_an_old_request_that_comes_once_more_takes_nothing_back(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            at = world.clock.now()
            for said, after_s in (("STOP", 0), ("START", 5), ("STOP", 0)):
                await world.daemon.recorder.receipt(Reply("sms", PHONE[HOME], said, at=at + timedelta(seconds=after_s)))
            assert await world.one("SELECT count(*) FROM opt_out") == 0

    run(story(), loop)
