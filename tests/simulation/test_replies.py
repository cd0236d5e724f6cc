"""Whose answer counts for what: digits, bare words, shared phones, several seats, late answers."""

from collections.abc import Callable
from pathlib import Path

from tests.simulation.acts import answering, reporting
from tests.simulation.county import VILLAGES, recipients_csv
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, World, running, speakers_of
from warnd.channel import Accepted, Outgoing, Reply
from warnd.model.evidence import Evidence

V = VILLAGES
OFFICER = f"officer-{V[0]}"


async def _answer(world: World, said: str, recipient: str = OFFICER) -> None:
    address = world.texts_to(recipient)[-1].address
    await world.daemon.recorder.receipt(Reply("sms", address, said, at=world.clock.now()))


def _digit(sent: Outgoing) -> str:
    return next(character for character in reversed(sent.texts[0].text) if character.isdigit())


def _changed(change: Callable[[str], str]) -> str:
    """Return the county's recipients with some lines changed."""
    return "\n".join(change(line) for line in recipients_csv().splitlines()) + "\n"


def test_two_open_warnings_on_one_phone_have_two_digits_and_a_bare_word_means_neither(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            ids = [await world.release(flood(identifier=f"QH-{n}")) for n in (1, 2)]
            await world.clock.sleep(5)
            texts = world.texts_to(OFFICER)
            assert len({_digit(one) for one in texts}) == 2
            await _answer(world, "收到")
            assert [(await world.delivery(one, OFFICER)).evidence for one in ids] == [Evidence.DELIVERED] * 2
            assert await world.one("SELECT count(*) FROM event WHERE kind = 'receipt.unmatched'") == 1
            second = next(one for one in texts if one.message.id == ids[1])
            await _answer(world, _digit(second))
            assert (await world.delivery(ids[1], OFFICER)).state == "satisfied"
            assert (await world.delivery(ids[0], OFFICER)).state == "open"
            await _answer(world, "ok")  # Only one is open now.
            assert (await world.delivery(ids[0], OFFICER)).state == "satisfied"
            await world.check_invariants()

    run(story(), loop)


def test_a_digit_stays_over_repeats_and_a_late_answer_to_what_ended_is_kept_as_evidence(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            alert = flood()
            alert_id = await world.release(alert)
            await world.clock.sleep(105)
            texts = world.texts_to(OFFICER)
            assert len(texts) == 2
            assert texts[1].repeated
            assert _digit(texts[0]) == _digit(texts[1])
            await world.daemon.desk.cancel(alert_id, kind="lift", reason="水退了", by=OPERATOR)
            await _answer(world, _digit(texts[0]))
            row = await world.delivery(alert_id, OFFICER)
            assert (row.evidence, row.state, row.closed_as) == (Evidence.ACKNOWLEDGED, "open", "withdrawn")
            await world.clock.sleep(5)
            await world.check_invariants()

    run(story(), loop)


def test_with_nine_questions_open_the_tenth_asks_for_no_digit(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            for number in range(10):
                await world.release(flood(identifier=f"QH-{number}"))
                await world.clock.sleep(2)
            texts = world.texts_to(OFFICER)
            asking = [one for one in texts if "回复" in one.texts[0].text]
            assert len({_digit(one) for one in asking}) == 9
            assert len(texts) == 10
            assert texts[-1] not in asking
            await world.check_invariants()

    run(story(), loop)


def test_one_answer_from_a_shared_phone_is_both_owners_answer(tmp_path: Path) -> None:
    loop = VirtualLoop()
    shared = _changed(lambda line: line.replace("13800000001", "13800000000"))
    assert shared.count("13800000000") == 2

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, recipients=shared) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(5)
            both = [*world.texts_to(OFFICER), *world.texts_to(f"officer-{V[1]}")]
            assert {_digit(one) for one in both} == {_digit(both[0])}
            await _answer(world, _digit(both[0]))
            for village in V[:2]:
                assert (await world.village(alert_id, village)).answered_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_one_person_with_the_seats_of_two_villages_gets_one_text_and_confirms_both(tmp_path: Path) -> None:
    loop = VirtualLoop()
    seats = f"information_officer@{V[0]};information_officer@{V[1]}"

    def change(line: str) -> str:
        return line.replace(",information_officer,", f",{seats},") if line.startswith(f"{OFFICER},") else line

    csv = "\n".join(change(one) for one in recipients_csv(without_officer=(V[1],)).splitlines()) + "\n"

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting, speakers=speakers_of(V), recipients=csv) as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(35)
            assert len(world.texts_to(OFFICER)) == 1
            await _answer(world, _digit(world.texts_to(OFFICER)[0]))
            for village in V[:2]:
                assert (await world.village(alert_id, village)).confirmed_at is not None
            await world.check_invariants()

    run(story(), loop)


def test_a_recipient_in_several_audiences_gets_one_delivery_by_the_first(tmp_path: Path) -> None:
    loop = VirtualLoop()

    def change(line: str) -> str:
        return line.replace(",information_officer,", ",information_officer;township_leader@519999101,")

    both = "\n".join(change(one) if one.startswith(f"{OFFICER},") else one for one in recipients_csv().splitlines())

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=answering(Accepted()), recipients=both + "\n") as world:
            alert_id = await world.release(flood())
            await world.clock.sleep(3)
            assert (await world.delivery(alert_id, OFFICER)).audience == 0
            assert len(world.texts_to(OFFICER)) == 1
            await world.check_invariants()

    run(story(), loop)


def test_a_household_whose_own_house_lies_in_the_polygon_hears_even_from_a_village_outside(tmp_path: Path) -> None:
    loop = VirtualLoop()
    house = f"lonely,household,孤户,{V[5]},,zh,13700009999,,30.05,103.02,\n"
    polygon = ((30.04, 103.01), (30.04, 103.03), (30.06, 103.03), (30.06, 103.01), (30.04, 103.01))

    async def story() -> None:
        async with running(tmp_path, loop=loop, recipients=recipients_csv() + house) as world:
            alert_id = await world.release(flood(codes=(), polygons=(polygon,)))
            await world.clock.sleep(3)
            assert (await world.delivery(alert_id, "lonely")).state == "satisfied"
            assert not world.texts_to(f"home-{V[5]}-0")
            assert world.texts_to(f"home-{V[0]}-0")
            await world.check_invariants()

    run(story(), loop)


def test_an_old_answer_that_is_brought_again_answers_nothing_new(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=reporting) as world:
            first = await world.release(flood(identifier="QH-1"))
            await world.clock.sleep(5)
            old = Reply("sms", world.texts_to(OFFICER)[-1].address, "收到", at=world.clock.now())
            await world.daemon.recorder.receipt(old)
            assert (await world.delivery(first, OFFICER)).state == "satisfied"
            await world.clock.sleep(30)
            second = await world.release(flood(identifier="QH-2"))
            await world.clock.sleep(5)
            await world.daemon.recorder.receipt(old)
            assert (await world.delivery(second, OFFICER)).evidence == Evidence.DELIVERED
            await _answer(world, "收到")
            assert (await world.delivery(second, OFFICER)).state == "satisfied"
            await world.check_invariants()

    run(story(), loop)
