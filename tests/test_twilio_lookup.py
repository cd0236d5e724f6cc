"""What became of tries whose answer was lost, and of texts of which nothing more was heard: asked, never guessed, never sent again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from channels.sms.twilio.recall import Candidate, Recall
from tests.fakes.twilio import Fault
from tests.fakes.twilio_stage import BODY, TO, Stage, on_stage
from tests.waiting import until
from warnd.channel import Accepted, Failed, Report, Unknown
from warnd.model.evidence import Evidence

NOW = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)


def reports(stage: Stage) -> list[tuple[str | None, Evidence, bool, str | None]]:
    return [(r.attempt, r.evidence, r.failed, r.reason) for r in stage.ledger.committed if isinstance(r, Report)]


def one_report(stage: Stage) -> Callable[[], bool]:
    return lambda: len(stage.ledger.committed) == 1


@pytest.mark.parametrize("fault", ["lost", "reset"])
async def test_a_text_that_was_taken_though_the_answer_was_lost_is_found(fault: Fault) -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append(fault)
        assert isinstance(await stage.send_one(), Unknown)
        assert await stage.gateway.find("tag-1-1") == Accepted(stage.kept().sid)
        assert await stage.gateway.find("tag-1-1") == Accepted(stage.kept().sid)
        assert stage.twilio.asked["GET Messages.json"] == 1
        assert len(stage.twilio.forms) == 1


async def test_a_text_is_found_though_our_clock_is_wrong() -> None:
    async with on_stage() as stage:
        stage.clock.set_wall(stage.clock.now() - timedelta(hours=9))
        await stage.gateway.probe()
        stage.twilio.faults.append("lost")
        await stage.send_one()
        assert isinstance(await stage.gateway.find("tag-1-1"), Accepted)


async def test_a_text_that_was_never_taken_is_called_failed_only_after_a_while() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("500")
        await stage.send_one()
        assert isinstance(await stage.gateway.find("tag-1-1"), Unknown)
        await stage.clock.advance(11)
        assert isinstance(await stage.gateway.find("tag-1-1"), Unknown)
        await stage.clock.advance(1)
        assert await stage.gateway.find("tag-1-1") == Failed("not at Twilio when asked again")


async def test_a_found_text_that_has_arrived_or_failed_already_is_reported_at_once() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("lost")
        await stage.send_one()
        stage.kept().status, stage.kept().error_code = "undelivered", 30005
        assert await stage.gateway.find("tag-1-1") == Accepted(stage.kept().sid)
        await stage.clock.advance(0)
        await until(one_report(stage))
        assert reports(stage) == [("tag-1-1", Evidence.NONE, True, "undelivered: 30005 unknown phone")]


async def test_a_text_that_twilio_takes_only_after_we_gave_up_is_found() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("lost later")
        assert isinstance(await stage.send_one(), Unknown)
        assert not stage.twilio.heard()
        stage.twilio.release()
        await until(stage.twilio.heard)
        assert await stage.gateway.find("tag-1-1") == Accepted(stage.kept().sid)


async def test_while_twilio_cannot_be_asked_nothing_is_claimed() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("500")
        await stage.send_one()
        await stage.site.close()
        await stage.clock.advance(100)
        assert isinstance(await stage.gateway.find("tag-1-1"), Unknown)
        assert not stage.ledger.committed


async def test_a_callback_resolves_a_lost_answer_without_asking() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("lost")
        await stage.send_one()
        await stage.twilio.call_back(stage.kept(), "sent")
        assert reports(stage) == [("tag-1-1", Evidence.ACCEPTED, False, None)]
        assert await stage.gateway.find("tag-1-1") == Accepted(stage.kept().sid)
        assert "GET Messages.json" not in stage.twilio.asked


async def test_a_callback_that_beats_a_lost_answer_settles_the_call_itself() -> None:
    async with on_stage() as stage:
        stage.twilio.early = "delivered"
        stage.twilio.faults.append("reset")
        assert await stage.send_one() == Accepted(stage.kept().sid)


async def test_another_tries_message_is_not_taken_for_this_one() -> None:
    """A repeat has the same number and may have the same text."""
    async with on_stage() as stage:
        first = await stage.send_one("tag-1-1")
        stage.twilio.faults.append("500")
        assert isinstance(await stage.send_one("tag-1-2"), Unknown)
        await stage.clock.advance(20)
        assert isinstance(await stage.gateway.find("tag-1-2"), Failed)
        assert isinstance(first, Accepted)
        assert await stage.gateway.find("tag-1-1") == Accepted(first.reference)


async def test_a_text_whose_callbacks_were_lost_is_asked_about() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        stage.kept().status = "delivered"
        await stage.clock.advance(119)
        assert not stage.ledger.committed
        await stage.clock.advance(1)
        await until(one_report(stage))
        assert reports(stage) == [("tag-1-1", Evidence.DELIVERED, False, None)]


async def test_silence_about_a_text_stays_silence() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        stage.kept().status = "sent"
        for seconds, looks in ((120, 1), (480, 2), (3000, 3), (4000, 3)):
            await stage.clock.advance(seconds)
            await until(lambda looks=looks: stage.twilio.asked.get("GET Message", 0) == looks)  # type: ignore[misc]  # A bound loop value.
        assert not stage.ledger.committed


async def test_a_text_of_which_all_is_known_is_not_asked_about() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        await stage.twilio.call_back(stage.kept(), "delivered")
        await stage.clock.advance(4000)
        assert "GET Message" not in stage.twilio.asked


async def test_a_look_that_the_ledger_cannot_commit_comes_again() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        stage.kept().status = "undelivered"
        stage.ledger.failures = 1
        await stage.clock.advance(120)
        await until(lambda: stage.ledger.failures == 0)
        await stage.clock.advance(5)
        await until(one_report(stage))
        assert reports(stage) == [("tag-1-1", Evidence.NONE, True, "undelivered")]


async def test_of_a_try_from_before_a_restart_nothing_is_claimed() -> None:
    async with on_stage() as stage:
        assert isinstance(await stage.gateway.find("tag-9-9"), Unknown)


def made(sid: str, *, to: str = TO, body: str = BODY, after_s: float = 0) -> Candidate:
    return Candidate(sid, to, body, NOW + timedelta(seconds=after_s), "queued", None)


def test_a_message_is_ours_by_number_text_and_time() -> None:
    recall = Recall()
    sent = recall.begin("a", to=TO, body=BODY, segments=1, at=NOW)
    ours = made("SM1")
    strangers = [made("SM2", to="+1"), made("SM3", body="other"), made("SM4", after_s=601), made("SM5", after_s=-601)]
    assert recall.match(sent, [*strangers, ours]) == ours
    assert recall.match(sent, strangers) is None
    assert recall.match(sent, [made("SM6", body=f" {BODY}\n")]) == made("SM6", body=f" {BODY}\n")


def test_of_two_that_fit_the_older_is_the_first_tries() -> None:
    recall = Recall()
    sent = recall.begin("a", to=TO, body=BODY, segments=1, at=NOW)
    assert recall.match(sent, [made("SM2", after_s=9), made("SM1", after_s=1)]) == made("SM1", after_s=1)


def test_what_is_remembered_is_bounded() -> None:
    recall = Recall(kept=100)
    for number in range(1000):
        sent = recall.begin(f"a-{number}", to=TO, body=BODY, segments=1, at=NOW)
        recall.name(sent, f"SM{number}")
        sent.fate = "accepted"
        recall.plan(sent, 1.0)
    assert recall.get("a-899") is None
    assert recall.get("a-900") is not None
    assert len(recall.due(2.0, limit=1000)) == 100
    assert len(recall._by_sid) == 100
