"""Texts to Twilio over real HTTP: what is asked for, and what each kind of answer, or its absence, is taken for."""

import asyncio

import pytest

from tests.fakes.twilio import ACCOUNT_SID, PUBLIC_URL, SENDER, Fault
from tests.fakes.twilio_stage import BODY, TO, at, on_stage
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Unknown

SERVICE = "MG" + "ab" * 16


async def test_a_text_is_asked_for_with_number_sender_life_and_where_to_report() -> None:
    async with on_stage() as stage:
        outcome = await stage.send_one("tag-7-1", lives_s=900.5)
        assert stage.twilio.forms == [
            {
                "To": TO,
                "From": SENDER,
                "Body": BODY,
                "StatusCallback": f"{PUBLIC_URL}/receipts/twilio/status?attempt=tag-7-1",
                "ValidityPeriod": "900",
            }
        ]
        assert outcome == Accepted(stage.kept().sid, segments=1)


async def test_a_messaging_service_chooses_the_number() -> None:
    async with on_stage(sender=SERVICE) as stage:
        await stage.send_one()
        assert stage.twilio.forms[0]["MessagingServiceSid"] == SERVICE
        assert "From" not in stage.twilio.forms[0]


@pytest.mark.parametrize(("lives_s", "valid_s"), [(1, "1"), (35_999, "35999"), (36_000, "36000"), (86_400, "36000")])
async def test_the_life_in_the_queue_is_that_of_the_warning_within_what_twilio_takes(
    lives_s: float, valid_s: str
) -> None:
    async with on_stage() as stage:
        await stage.send_one(lives_s=lives_s)
        assert stage.twilio.forms[0]["ValidityPeriod"] == valid_s


@pytest.mark.parametrize("lives_s", [0.5, 0, -60])
async def test_a_warning_whose_life_is_over_is_not_sent(lives_s: float) -> None:
    async with on_stage() as stage:
        assert await stage.send_one(lives_s=lives_s) == Failed("its life is over", "permanent")
        assert not stage.twilio.forms


async def test_the_segments_are_those_that_twilio_counts() -> None:
    async with on_stage() as stage:
        assert await stage.send_one(body="水" * 200) == Accepted(f"SM{1:032x}", segments=3)


async def test_a_text_longer_than_twilio_takes_is_refused_before_it_leaves() -> None:
    async with on_stage() as stage:
        assert await stage.send_one(body="水" * 1601) == Failed("21617 text too long", "permanent")
        assert not stage.twilio.forms
        assert isinstance(await stage.send_one(body="水" * 1600), Accepted)


@pytest.mark.parametrize(
    "to", ["", "officer", "+", "+86 138", "+8613800138000;+8613800138001", "１３８００１３８０００"]
)
async def test_what_is_no_number_never_leaves(to: str) -> None:
    async with on_stage() as stage:
        assert await stage.send(stage.outgoing(to=to)) == [Failed("no phone number", "permanent")]
        assert not stage.twilio.forms


async def test_half_a_character_does_not_break_the_form() -> None:
    async with on_stage() as stage:
        assert isinstance(await stage.send_one(body="洪水\ud83c"), Accepted)


REFUSALS: dict[Fault | int, Failed] = {
    21211: Failed("21211 invalid number", "permanent"),
    21610: Failed("21610 unsubscribed", "permanent"),
    21606: Failed("21606 sender not usable for this number", "transient"),
    87_654: Failed("87654 unknown to warnd", "transient"),
    "429": Failed("20429 too many requests", "throttled", 7.0),
    "429 bare": Failed("20429 too many requests", "throttled", 2.0),
    "503": Failed("503 without a code", "transient"),
}


@pytest.mark.parametrize(("fault", "outcome"), REFUSALS.items())
async def test_a_refusal_is_a_failure_of_its_own_kind_and_spoils_no_other_try(
    fault: Fault | int, outcome: Failed
) -> None:
    async with on_stage(connections=1) as stage:
        stage.twilio.faults.append(fault)
        first, second = await stage.send(stage.outgoing("a"), stage.outgoing("b"))
        assert first == outcome
        assert isinstance(second, Accepted)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("999999999999", 3600.0),
        ("soon", 2.0),
        ("-5", 2.0),
        ("", 2.0),
        ("１２", 2.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600.0),
    ],
)
async def test_the_time_that_twilio_asks_for_is_read_within_an_hour(told: str, seconds: float) -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("429")
        stage.twilio.retry_after = told
        assert await stage.send_one() == Failed("20429 too many requests", "throttled", seconds)


async def test_the_time_that_twilio_asks_for_may_be_a_date() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append("429")
        stage.twilio.retry_after = "Fri, 31 Dec 2099 23:59:59 GMT"
        assert await stage.send_one() == Failed("20429 too many requests", "throttled", 3600.0)


@pytest.mark.parametrize("fault", ["500", "lost", "reset", "garbage", "no sid", "huge", "latin"])
async def test_what_may_have_been_taken_is_unknown(fault: Fault) -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append(fault)
        outcome = await stage.send_one()
        assert isinstance(outcome, Unknown), outcome
        assert outcome.reason


async def test_nobody_at_the_port_means_that_nothing_left() -> None:
    async with on_stage() as stage:
        await stage.site.close()
        outcome = await stage.send_one()
        assert isinstance(outcome, Failed)
        assert outcome.retry == "transient"


async def test_a_hanging_twilio_is_left_within_the_bound_and_holds_up_nobody_else() -> None:
    async with on_stage(timeout_s=0.5) as stage:
        stage.twilio.faults.append("lost")
        async with asyncio.timeout(5):
            outcomes = await stage.send(*(stage.outgoing(f"a-{number}") for number in range(20)))
        assert [type(outcome) for outcome in outcomes].count(Accepted) == 19
        assert [type(outcome) for outcome in outcomes].count(Unknown) == 1


async def test_a_try_that_waited_too_long_for_its_place_is_not_started() -> None:
    async with on_stage(connections=1) as stage:
        stage.twilio.faults.append("lost")
        soon = at(stage, stage.outgoing("b"), start_in_s=0.05)
        hanging, waiting = await stage.send(stage.outgoing("a"), soon)
        assert isinstance(hanging, Unknown)
        assert waiting == NOT_STARTED
        assert len(stage.twilio.forms) == 1


async def test_no_more_calls_are_under_way_than_the_settings_allow() -> None:
    async with on_stage(connections=3) as stage:
        stage.twilio.faults.extend(["lost later"] * 20)
        async with asyncio.TaskGroup() as group:
            sends = group.create_task(stage.send(*(stage.outgoing(f"a-{number}") for number in range(20))))
            await until(lambda: len(stage.twilio.forms) == 3)
            stage.twilio.faults.clear()
            stage.twilio.release()
        assert {type(outcome) for outcome in sends.result()} == {Accepted}


async def test_nothing_is_sent_before_and_after_the_gateway_runs() -> None:
    async with on_stage(start=False) as stage:
        outcome = await stage.send_one()
        assert isinstance(outcome, Failed)
        assert outcome.retry == "throttled"
        assert stage.gateway.problem() is not None
        assert not stage.twilio.forms


async def test_the_library_is_not_led_elsewhere_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "f" * 32)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with on_stage() as stage:
        assert isinstance(await stage.send_one(), Accepted)


async def test_the_token_is_neither_logged_nor_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with on_stage() as stage:
        await stage.send_one()
        assert "the token" not in caplog.text
        assert "the token" not in repr(vars(stage.gateway))


async def test_the_account_is_the_one_of_the_settings() -> None:
    async with on_stage() as stage:
        await stage.send_one()
        assert stage.twilio.asked == {f"GET {ACCOUNT_SID}.json": 1, "POST Messages.json": 1}
