"""Cancel always wins: in any state, before its Alert, and for exactly those who may have got what it cancels."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.simulation.acts import BROKEN, each, first, reporting
from tests.simulation.county import COUNTY, VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import START, VirtualLoop, run, simulated
from tests.simulation.world import (
    OPERATOR,
    Wire,
    World,
    accepts,
    obedient_phone,
    resumed,
    running,
    settings_for,
    speakers_of,
)
from warnd.channel import Outcome, Outgoing, Report
from warnd.ledger.values import to_ms
from warnd.model.authority import Principal
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate

CLERK = Principal(name="clerk", scope="submit")
_SUPERIOR = '[superiors]\n"flood@qinghe.example" = ["flood@province.example"]\n'


async def _pass(world: World, seconds: float) -> None:
    """Let simulated time pass."""
    await world.clock.sleep(seconds)


async def _slow_gateway(outgoing: Outgoing, wire: Wire) -> Outcome:
    """Each text takes its time, and they leave one after the other."""
    await simulated(0.9)
    return await obedient_phone(outgoing, wire)


async def _cancelled(world: World, alert_id: str, cancel_id: str) -> None:
    """Hold what every Cancel must do against the wires and the store."""
    await world.planned(cancel_id)
    committed = await world.one("SELECT released_at FROM message WHERE id = :id", id=cancel_id)
    cancelled_s = (committed - to_ms(START)) / 1000  # On the loop's scale.
    began = [
        at
        for wire in (world.phones, world.speakers)
        for each, at in zip(wire.sent, wire.at_s, strict=True)
        if each.message.id == alert_id
    ]
    assert all(at <= cancelled_s + 2.0 for at in began)
    reached = {each.recipient for each in world.phones.sent if each.message.id == alert_id}
    rows = await world.query(
        "SELECT r.id FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no WHERE m.id = :id",
        id=cancel_id,
    )
    told = {row.id for row in rows}
    assert reached <= told
    tried = await world.query(
        "SELECT DISTINCT r.id FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN delivery d ON d.no = l.delivery_no "
        "JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no WHERE m.id = :id",
        id=alert_id,
    )
    people = {one for one in told if not one.startswith("term-")}
    assert people <= {row.id for row in tried}, "told of the end without having been told of the beginning"
    topics = {each.address for each in world.speakers.sent if each.message.id == alert_id and each.recipient is None}
    stopped = {each.address for each in world.speakers.sent if each.message.id == cancel_id and each.recipient is None}
    assert topics <= stopped
    assert await world.state(alert_id) == "cancelled"
    await world.check_invariants()


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.7, 1.1, 2.6, 30.0, 130.0])
def test_a_cancel_at_any_moment_stops_the_rest_and_reaches_the_reached(tmp_path: Path, after_s: float) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        slow = settings_for(tmp_path, "sms.rate_per_s = 12\n")
        async with running(
            tmp_path, loop=loop, phones=_slow_gateway, speakers=speakers_of(VILLAGES), settings=slow
        ) as world:
            alert = flood()
            alert_id = await world.release(alert)
            await _pass(world, after_s)
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 30)
            await _cancelled(world, alert_id, cancel_id)

    run(story(), loop)


def test_a_cancel_of_what_is_completed_tells_everybody_who_got_it(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            alert = flood()
            alert_id = await world.release(alert)

            async def done() -> bool:
                return await world.state(alert_id) == "completed"

            await world.until(done, within_s=300)
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 20)
            await _cancelled(world, alert_id, cancel_id)
            reached = {each.recipient for each in world.phones.sent if each.message.id == alert_id}
            told = {each.recipient for each in world.phones.sent if each.message.id == cancel_id}
            assert told == reached

    run(story(), loop)


def test_a_cancel_of_what_has_expired_is_still_told(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood(life=timedelta(minutes=2))
            alert_id = await world.release(alert)
            await _pass(world, 125)
            assert await world.state(alert_id) == "expired"
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 20)
            assert world.texts_to("chief")[-1].message.id == cancel_id
            assert await world.state(alert_id) == "expired"
            await world.check_invariants()

    run(story(), loop)


@pytest.mark.parametrize("by", [OPERATOR, CLERK], ids=["held", "in review"])
def test_a_cancel_of_what_still_waits_ends_it_and_disturbs_nobody(tmp_path: Path, by: Principal) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood(sent=START + timedelta(hours=1)) if by is OPERATOR else flood()
            waiting = await world.submit(alert, by=by)
            assert waiting.fate is (Fate.HELD if by is OPERATOR else Fate.IN_REVIEW)
            assert waiting.warning_id is not None
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 5)
            assert await world.state(waiting.warning_id) == "cancelled"
            assert await world.state(cancel_id) == "completed"
            assert not world.phones.sent
            assert not world.speakers.sent
            await world.check_invariants()

    run(story(), loop)


def test_an_alert_that_comes_after_its_cancel_is_cancelled_on_arrival(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            await world.release(cancel_of(alert))
            late = await world.submit(alert)
            assert late.fate is Fate.CANCELLED
            await _pass(world, 5)
            assert not world.phones.sent
            await world.check_invariants()

    run(story(), loop)


def test_a_tombstone_of_a_stranger_stops_nobodys_alert(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            await world.release(cancel_of(alert, sender="prank@elsewhere.example"))
            await world.release(alert)

    run(story(), loop)


def test_a_cancel_by_a_stranger_is_forbidden_and_changes_nothing(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            alert_id = await world.release(alert)
            answer = await world.submit(cancel_of(alert, sender="prank@elsewhere.example"))
            assert answer.fate is Fate.FORBIDDEN
            assert answer.reasons[0].code == "chain_not_allowed"
            assert await world.state(alert_id) == "dispatching"
            assert await world.one("SELECT count(*) FROM event WHERE kind = 'document.forbidden'") == 1

    run(story(), loop)


def test_the_superior_of_authority_toml_may_cancel(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        (tmp_path / "authority.toml").write_text(_SUPERIOR, encoding="utf-8")
        allowed = settings_for(tmp_path, 'authority_file = "authority.toml"\n')
        async with running(tmp_path, loop=loop, settings=allowed) as world:
            alert = flood()
            alert_id = await world.release(alert)
            await world.release(cancel_of(alert, sender="flood@province.example"))
            assert await world.state(alert_id) == "cancelled"

    run(story(), loop)


def test_whoever_cannot_be_told_is_named_as_not_reached(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=each({"chief": accepts}), speakers=accepts) as world:
            alert = flood()
            await world.release(alert)
            await _pass(world, 3)
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 320)  # Three tries, 100 s apart.
            chief = await world.delivery(cancel_id, "chief")
            assert (chief.state, chief.evidence) == ("exhausted", Evidence.ACCEPTED)
            assert (await world.delivery(cancel_id, f"officer-{VILLAGES[0]}")).state == "satisfied"
            await world.check_invariants()

    run(story(), loop)


def test_a_waiting_cancel_that_is_approved_after_an_update_stops_the_update_too(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            alert = flood()
            await world.release(alert)
            waiting = await world.submit(cancel_of(alert), by=CLERK)
            assert waiting.fate is Fate.IN_REVIEW
            assert waiting.warning_id is not None
            later = alert.sent + timedelta(minutes=1)
            references = cancel_of(alert).references
            update_id = await world.release(
                flood(identifier="QH-2", msg_type="Update", references=references, sent=later)
            )
            await _pass(world, 5)
            approved = await world.daemon.desk.approve(waiting.warning_id, by=OPERATOR)
            assert approved.fate is Fate.RELEASED
            await _pass(world, 20)
            assert await world.state(update_id) == "cancelled"
            seqs = await world.query("SELECT id, seq FROM message ORDER BY no")
            assert [row.seq for row in seqs] == sorted(row.seq for row in seqs)
            assert seqs[-1].id == waiting.warning_id
            stops = [one for one in world.speakers.sent if one.message.verb == "stop" and one.recipient is None]
            assert [one.address for one in stops] == [f"region:{COUNTY}"]
            assert world.texts_to("chief")[-1].message.id == waiting.warning_id
            await world.check_invariants()

    run(story(), loop)


def test_a_cancel_that_waited_since_before_its_alert_finds_it_when_approved(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            waiting = await world.submit(cancel_of(alert), by=CLERK)
            assert waiting.warning_id is not None
            alert_id = await world.release(alert)
            await _pass(world, 3)
            await world.daemon.desk.approve(waiting.warning_id, by=OPERATOR)
            await _pass(world, 5)
            await _cancelled(world, alert_id, waiting.warning_id)
            assert world.texts_to("chief")[-1].message.id == waiting.warning_id

    run(story(), loop)


def test_a_second_cancel_takes_over_from_the_first(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            alert = flood()
            await world.release(alert)
            await _pass(world, 3)
            lifted = await world.release(cancel_of(alert))
            await _pass(world, 3)
            retracted = await world.release(cancel_of(alert, identifier="QH-1-C2"))
            await _pass(world, 20)
            assert await world.state(lifted) == "superseded"
            assert world.texts_to("chief")[-1].message.id == retracted
            await world.check_invariants()

    run(story(), loop)


def test_a_late_receipt_on_the_alert_adds_its_recipient_to_the_cancel(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = each({"chief": first([BROKEN], then=reporting)})
        async with running(tmp_path, loop=loop, phones=phones) as world:
            alert = flood()
            alert_id = await world.release(alert)
            await _pass(world, 1.0)
            (tried,) = world.texts_to("chief")
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 10)
            assert not await world.query(
                "SELECT 1 FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no "
                "WHERE m.id = :id AND r.id = 'chief'",
                id=cancel_id,
            )
            await world.daemon.recorder.receipt(Report("sms", tried.attempt, Evidence.DELIVERED))
            await _pass(world, 10)
            told = await world.delivery(cancel_id, "chief")
            assert (told.purpose, told.state) == ("cancel", "satisfied")
            late = await world.delivery(alert_id, "chief")
            assert (late.evidence, late.satisfied_at, late.closed_as) == (Evidence.DELIVERED, None, "withdrawn")
            await world.check_invariants()

    run(story(), loop)


def test_a_cancel_that_cannot_be_finished_in_its_life_expires_and_its_chain_stays_ended(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        alert = flood(life=timedelta(minutes=2))
        async with running(tmp_path, loop=loop) as world:
            await world.release(alert)
            await _pass(world, 3)
            world.phones.down = "The gateway is gone. Call it."
            cancel_id = await world.release(cancel_of(alert))
            await _pass(world, 3)
        async with resumed(tmp_path, loop=loop, start=START + timedelta(hours=3)) as world:
            await _pass(world, 1)
            assert await world.state(cancel_id) == "expired"
            references, sent = cancel_of(alert).references, alert.sent + timedelta(hours=2)
            again = await world.submit(flood(identifier="QH-9", msg_type="Update", references=references, sent=sent))
            assert again.fate is Fate.HELD
            assert "chain_cancelled" in {reason.code for reason in again.reasons}
            await world.check_invariants()

    run(story(), loop)
