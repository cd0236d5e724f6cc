"""What Twilio posts to us: believed only with its signature over the public address, confirmed only after the commit."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, sign
from tests.fakes.twilio_stage import TO, on_stage
from warnd.channel import Accepted, Reply, Report
from warnd.model.evidence import Evidence

STATUS = f"{PUBLIC_URL}/receipts/twilio/status?attempt=tag-1-1"
INBOUND = f"{PUBLIC_URL}/receipts/twilio/inbound"
SID = "SM" + "0" * 31 + "1"
FORM = {"AccountSid": ACCOUNT_SID, "MessageSid": SID, "MessageStatus": "delivered", "To": TO}
OTHER = "SM" + "f" * 32


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=6))
def test_the_fake_signs_as_the_library_checks(form: dict[str, str]) -> None:
    assert RequestValidator(AUTH_TOKEN).validate(STATUS, ImmutableMultiDict(form), sign(STATUS, form))


@pytest.mark.parametrize(
    ("status", "code", "evidence", "reason"),
    [
        ("delivered", None, Evidence.DELIVERED, None),
        ("read", None, Evidence.PRESENTED, None),
        ("undelivered", 30005, Evidence.NONE, "undelivered: 30005 unknown phone"),
        ("failed", 30008, Evidence.NONE, "failed: 30008 unknown error"),
        ("failed", None, Evidence.NONE, "failed"),
        ("delivered", 30003, Evidence.NONE, "partial: 30003 phone unreachable"),
    ],
)
async def test_a_state_becomes_a_report_about_our_attempt(
    status: str, code: int | None, evidence: Evidence, reason: str | None
) -> None:
    async with on_stage() as stage:
        await stage.send_one()
        answer = await stage.twilio.call_back(stage.kept(), status, code=code)
        assert answer.status_code == 204
        (report,) = stage.ledger.committed
        assert isinstance(report, Report)
        assert (report.channel, report.attempt, report.evidence) == ("sms", "tag-1-1", evidence)
        assert (report.failed, report.reason) == (evidence is Evidence.NONE, reason)
        assert TO not in report.raw


@pytest.mark.parametrize("status", ["queued", "sending", "sent"])
async def test_that_twilio_has_it_is_told_once_by_the_answer_to_the_call(status: str) -> None:
    async with on_stage() as stage:
        await stage.send_one()
        assert (await stage.twilio.call_back(stage.kept(), status)).status_code == 204
        assert not stage.ledger.committed


async def test_a_report_before_the_answer_to_the_call_is_taken() -> None:
    async with on_stage() as stage:
        stage.twilio.early = "delivered"
        assert isinstance(await stage.send_one(), Accepted)
        (report,) = stage.ledger.committed
        assert isinstance(report, Report)
        assert (report.attempt, report.evidence) == ("tag-1-1", Evidence.DELIVERED)


async def test_reports_twice_and_out_of_order_go_through_as_they_are() -> None:
    """Joining evidence is the ledger's; here nothing is lost and nothing invented."""
    async with on_stage() as stage:
        await stage.send_one()
        for status in ("delivered", "sent", "delivered"):
            assert (await stage.twilio.call_back(stage.kept(), status)).status_code == 204
        assert [one.evidence for one in stage.ledger.committed if isinstance(one, Report)] == [Evidence.DELIVERED] * 2
        assert len(set(stage.ledger.committed)) == 1


async def test_one_failed_part_of_a_long_text_keeps_it_from_counting_as_delivered() -> None:
    async with on_stage() as stage:
        await stage.send_one(body="水" * 100)
        await stage.twilio.call_back(stage.kept(), "undelivered", code=30003)
        await stage.twilio.call_back(stage.kept(), "delivered")
        assert [one.failed for one in stage.ledger.committed if isinstance(one, Report)] == [True, True]


async def test_a_short_text_that_failed_and_then_arrived_has_arrived() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        await stage.twilio.call_back(stage.kept(), "undelivered", code=30003)
        await stage.twilio.call_back(stage.kept(), "delivered")
        assert [one.failed for one in stage.ledger.committed if isinstance(one, Report)] == [True, False]


@pytest.mark.parametrize(("code", "for_good"), [(30005, True), (30003, False)], ids=["unknown phone", "phone off"])
async def test_a_number_that_a_carrier_does_not_know_is_reported_as_lost_for_good(code: int, *, for_good: bool) -> None:
    async with on_stage() as stage:
        await stage.send_one("tag-1-1")
        await stage.twilio.call_back(stage.kept(), "undelivered", code=code)
        assert [one.permanent for one in stage.ledger.committed if isinstance(one, Report)] == [for_good]


async def test_more_fields_and_new_states_do_no_harm() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        more = {"RawDlrDoneDate": "2607030731", "ChannelPrefix": "rcs", "新": "字 &=%", "Empty": ""}
        form = FORM | more | {"MessageSid": stage.kept().sid}
        assert (await stage.twilio.post(STATUS, form)).status_code == 204
        assert (await stage.twilio.call_back(stage.kept(), "teleported")).status_code == 204
        assert len(stage.ledger.committed) == 1


async def test_after_a_restart_reports_about_forgotten_tries_are_still_taken() -> None:
    async with on_stage() as stage:
        assert (await stage.twilio.post(STATUS, FORM | {"MessageStatus": "sent"})).status_code == 204
        assert (await stage.twilio.post(STATUS, FORM)).status_code == 204
        evidence = [one.evidence for one in stage.ledger.committed if isinstance(one, Report)]
        assert evidence == [Evidence.ACCEPTED, Evidence.DELIVERED]


async def test_what_the_ledger_cannot_commit_is_answered_503_and_brought_again() -> None:
    """Twilio posts a state once; whoever answers 503 must remember it."""
    async with on_stage() as stage:
        await stage.send_one()
        stage.ledger.failures = 2
        answer = await stage.twilio.call_back(stage.kept(), "delivered")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        answer = await stage.twilio.bring(stage.twilio.keep_inbound("收到", sender=TO))
        assert answer.status_code == 503
        assert not stage.ledger.committed
        await stage.clock.advance(5)
        await stage.clock.advance(5)
        assert {type(one) for one in stage.ledger.committed} == {Report, Reply}


async def test_before_the_gateway_runs_nothing_is_confirmed_and_nothing_lost() -> None:
    async with on_stage(start=False) as stage:
        assert (await stage.twilio.post(STATUS, FORM)).status_code == 503


async def test_an_answer_is_brought_with_number_text_and_the_time_that_twilio_keeps() -> None:
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound("1", sender=TO, at=stage.clock.now().replace(microsecond=0))
        assert (await stage.twilio.bring(kept)).status_code == 204
        (reply,) = stage.ledger.committed
        assert isinstance(reply, Reply)
        assert (reply.channel, reply.address, reply.text, reply.at) == ("sms", TO, "1", kept.made_at)


@pytest.mark.parametrize("word", ["STOP", "停止", "START"])
async def test_a_wish_to_be_left_alone_goes_through_in_its_own_words(word: str) -> None:
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound(word, sender=TO)
        assert (await stage.twilio.bring(kept, OptOutType="STOP")).status_code == 204
        assert [one.text for one in stage.ledger.committed if isinstance(one, Reply)] == [word]


async def test_an_answer_counts_also_while_twilio_cannot_be_asked_about_it() -> None:
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound("1", sender=TO)
        await stage.site.close()
        assert (await stage.twilio.bring(kept)).status_code == 204
        (reply,) = stage.ledger.committed
        assert isinstance(reply, Reply)
        assert (reply.text, reply.at) == ("1", stage.clock.now())


async def test_an_answer_posted_again_is_no_second_answer() -> None:
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound("收到", sender=TO)
        for _ in range(3):
            assert (await stage.twilio.bring(kept)).status_code == 204
        assert len(stage.ledger.committed) == 1


async def test_an_old_answer_posted_again_confirms_no_new_warning() -> None:
    """A form that somebody kept stays validly signed for ever; the message tells its own age, also after a restart."""
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound("收到", sender=TO, at=stage.clock.now() - timedelta(days=30))
        assert (await stage.twilio.bring(kept)).status_code == 403
        assert not stage.ledger.committed


async def test_a_centre_whose_clock_is_wrong_hears_its_officers_all_the_same() -> None:
    async with on_stage() as stage:
        stage.clock.set_wall(stage.clock.now() + timedelta(hours=9))
        kept = stage.twilio.keep_inbound("1", sender=TO)  # By Twilio's own clock, which is right.
        assert (await stage.twilio.bring(kept)).status_code == 204
        old = stage.twilio.keep_inbound("2", sender=TO, at=kept.made_at - timedelta(hours=1))
        assert (await stage.twilio.bring(old)).status_code == 403


async def test_an_answer_counts_as_twilio_keeps_it_not_as_it_was_posted() -> None:
    """The signature runs names and values together, so a kept form could be cut up otherwise; the message cannot."""
    async with on_stage() as stage:
        kept = stage.twilio.keep_inbound("hello", sender=TO)
        assert (await stage.twilio.bring(kept, Body="1")).status_code == 204
        assert [one.text for one in stage.ledger.committed if isinstance(one, Reply)] == ["hello"]


async def test_a_signed_answer_that_twilio_does_not_find_counts_once_as_it_was_posted() -> None:
    """Its list may lag behind its posts, and whoever stands in for it may keep none: the signature is the proof."""
    async with on_stage() as stage:
        form = {"AccountSid": ACCOUNT_SID, "MessageSid": OTHER, "From": TO, "Body": "1"}
        assert [(await stage.twilio.post(INBOUND, form)).status_code for _ in range(2)] == [204, 204]
        assert [(one.address, one.text) for one in stage.ledger.committed if isinstance(one, Reply)] == [(TO, "1")]


FORGED: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "no signature": (STATUS, FORM, {"signature": ""}),
    "rubbish": (STATUS, FORM, {"signature": "AAAA"}),
    "not of this world": (STATUS, FORM, {"signature": "签名".encode().decode("latin-1")}),
    "another token": (STATUS, FORM, {"token": "guessed"}),
    "another attempt": (STATUS, FORM, {"signature": sign(STATUS.replace("-1-1", "-2-1"), FORM)}),
    "another state": (STATUS, FORM, {"signature": sign(STATUS, FORM | {"MessageStatus": "failed"})}),
    "a field more": (STATUS, FORM | {"Extra": "1"}, {"signature": sign(STATUS, FORM)}),
    "the local address": (
        STATUS,
        FORM,
        {"signature": sign("http://127.0.0.1:8080/receipts/twilio/status?attempt=tag-1-1", FORM)},
    ),
    "the other endpoint's": (INBOUND, FORM, {"signature": sign(STATUS, FORM)}),
    "another account": (STATUS, FORM | {"AccountSid": "AC" + "f" * 32}, {}),
}


@pytest.mark.parametrize("name", FORGED)
async def test_what_twilio_did_not_sign_is_refused(name: str) -> None:
    url, form, how = FORGED[name]
    async with on_stage() as stage:
        answer = await stage.twilio.post(url, form, token=how.get("token", AUTH_TOKEN), signature=how.get("signature"))
        assert answer.status_code == 403
        assert not stage.ledger.committed


async def test_a_signed_report_needs_no_account_in_it() -> None:
    """The token is one account's; an account's SID can only say that the report is about a part of it."""
    async with on_stage() as stage:
        form = {name: FORM[name] for name in ("MessageSid", "MessageStatus")}
        assert (await stage.twilio.post(STATUS, form)).status_code == 204
        assert [one.evidence for one in stage.ledger.committed if isinstance(one, Report)] == [Evidence.DELIVERED]


async def test_a_report_about_another_message_than_the_attempts_own_is_refused() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        form = FORM | {"MessageSid": OTHER}
        assert (await stage.twilio.post(STATUS, form)).status_code == 403
        assert not stage.ledger.committed


async def test_an_attempt_of_somebody_else_is_left_to_the_ledger_to_judge() -> None:
    """Two daemons may share an account; the ledger knows its own ids and keeps the rest as unmatched."""
    async with on_stage() as stage:
        assert (await stage.twilio.post(STATUS.replace("tag-", "other-"), FORM)).status_code == 204
        assert [one.attempt for one in stage.ledger.committed if isinstance(one, Report)] == ["other-1-1"]


RUBBISH = {
    "no attempt": (STATUS.partition("?")[0], FORM, 400),
    "an attempt that is a path": (STATUS.replace("tag-1-1", "../../etc/passwd"), FORM, 400),
    "a giant attempt": (STATUS + "1" * 200, FORM, 400),
    "no SID": (STATUS, {name: FORM[name] for name in ("AccountSid", "MessageStatus")}, 400),
    "a SID that is none": (STATUS, FORM | {"MessageSid": "SM<script>"}, 400),
    "no state": (STATUS, FORM | {"MessageStatus": ""}, 400),
    "an answer without a SID": (INBOUND, {"AccountSid": ACCOUNT_SID, "From": TO, "Body": "1"}, 400),
}


@pytest.mark.parametrize("name", RUBBISH)
async def test_signed_rubbish_is_refused(name: str) -> None:
    url, form, status = RUBBISH[name]
    async with on_stage() as stage:
        assert (await stage.twilio.post(url, form)).status_code == status
        assert not stage.ledger.committed


async def test_a_giant_body_is_not_read() -> None:
    async with on_stage() as stage:
        answer = await stage.twilio.post(STATUS, b"Body=" + b"x" * 100_000, signature="AAAA")
        assert answer.status_code == 413


async def test_another_kind_of_body_is_refused() -> None:
    async with on_stage() as stage:
        answer = await stage.twilio.post(STATUS, FORM, headers={"Content-Type": "application/json"})
        assert answer.status_code == 415


async def test_only_posting_is_possible() -> None:
    async with on_stage() as stage:
        assert {frozenset(route.methods or ()) for route in stage.gateway.routes()} == {frozenset({"POST"})}  # type: ignore[attr-defined]  # These are plain routes.


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))))
async def test_whatever_is_posted_is_answered_with_a_refusal_never_with_an_error(body: bytes) -> None:
    async with on_stage(start=False) as stage:
        answer = await stage.twilio.post(STATUS, body, signature="AAAA")
        assert answer.status_code in {400, 403}


async def test_many_fields_are_too_many() -> None:
    async with on_stage(start=False) as stage:
        answer = await stage.twilio.post(
            STATUS, b"&".join(b"a%d=1" % number for number in range(1000)), signature="AAAA"
        )
        assert answer.status_code == 400


async def test_refused_callbacks_are_logged_without_what_they_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with on_stage() as stage:
        await stage.twilio.post(STATUS, FORM, token="guessed")
    told = capsys.readouterr().out
    assert "twilio_callback_refused" in told
    assert TO not in told
