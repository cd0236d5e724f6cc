"""Twilio's codes: every one of the table means something, and one that is not in it never counts as delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.twilio import codes, statuses
from channels.sms.twilio.codes import CODES, Verdict
from warnd.channel import Accepted, Failed, Unknown
from warnd.model.evidence import Evidence

MEANING = {
    Verdict.NUMBER: (Failed, "permanent"),
    Verdict.ACCOUNT: (Failed, "transient"),
    Verdict.TRANSIENT: (Failed, "transient"),
    Verdict.THROTTLED: (Failed, "throttled"),
    Verdict.AMBIGUOUS: (Unknown, None),
}
STATED = {
    20003: Verdict.ACCOUNT,
    20404: Verdict.ACCOUNT,
    20429: Verdict.THROTTLED,
    20500: Verdict.AMBIGUOUS,
    21211: Verdict.NUMBER,
    21408: Verdict.ACCOUNT,
    21606: Verdict.ACCOUNT,
    21610: Verdict.NUMBER,
    21611: Verdict.THROTTLED,
    21612: Verdict.ACCOUNT,
    21614: Verdict.NUMBER,
    21617: Verdict.NUMBER,
    30001: Verdict.TRANSIENT,
    30002: Verdict.ACCOUNT,
    30003: Verdict.TRANSIENT,
    30004: Verdict.NUMBER,
    30005: Verdict.NUMBER,
    30006: Verdict.NUMBER,
    30007: Verdict.ACCOUNT,
    30008: Verdict.TRANSIENT,
    30009: Verdict.TRANSIENT,
    30010: Verdict.ACCOUNT,
    30022: Verdict.THROTTLED,
    30034: Verdict.ACCOUNT,
    63018: Verdict.THROTTLED,
}


@pytest.mark.parametrize(("code", "entry"), CODES.items())
def test_every_code_of_the_table_leads_to_one_kind_of_outcome(code: int, entry: tuple[Verdict, str]) -> None:
    outcome = codes.outcome(code, status=400)
    kind, retry = MEANING[entry[0]]
    assert isinstance(outcome, kind)
    assert getattr(outcome, "retry", None) == retry
    assert not isinstance(outcome, Accepted)
    assert outcome.reason == f"{code} {entry[1]}"


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_table_denies_a_delivery(code: int) -> None:
    word = statuses.read("undelivered", code)
    assert word is not None
    assert (word.evidence, word.failed, word.final) == (Evidence.NONE, True, True)
    assert word.reason == f"undelivered: {code} {CODES[code][1]}"


@pytest.mark.parametrize(("code", "verdict"), STATED.items())
def test_the_codes_that_matter_most_mean_what_they_say(code: int, verdict: Verdict) -> None:
    assert codes.verdict(code) is verdict


def test_every_code_that_locks_the_account_out_is_about_the_account() -> None:
    assert {codes.verdict(code) for code in codes.LOCKED_OUT} == {Verdict.ACCOUNT}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (302, Verdict.TRANSIENT),
        (400, Verdict.TRANSIENT),
        (401, Verdict.ACCOUNT),
        (403, Verdict.ACCOUNT),
        (404, Verdict.ACCOUNT),
        (418, Verdict.TRANSIENT),
        (429, Verdict.THROTTLED),
        (500, Verdict.AMBIGUOUS),
        (502, Verdict.AMBIGUOUS),
        (503, Verdict.TRANSIENT),
        (504, Verdict.AMBIGUOUS),
    ],
)
@pytest.mark.parametrize("code", [None, 99_999])
def test_without_a_known_code_the_status_decides(code: int | None, status: int, verdict: Verdict) -> None:
    assert codes.verdict(code, status=status) is verdict


@given(st.integers(), st.integers(300, 999))
def test_no_answer_but_a_success_is_ever_taken_for_acceptance(code: int, status: int) -> None:
    outcome = codes.outcome(code, status=status)
    assert isinstance(outcome, Failed | Unknown)
    assert outcome.reason


def test_the_time_that_twilio_asks_for_is_kept_and_without_one_it_is_two_seconds() -> None:
    assert codes.outcome(20429, status=429, retry_after_s=9) == Failed("20429 too many requests", "throttled", 9)
    assert codes.outcome(None, status=429) == Failed("429 without a code", "throttled", 2)


STATUSES = {
    "queued": (Evidence.ACCEPTED, False, False),
    "accepted": (Evidence.ACCEPTED, False, False),
    "scheduled": (Evidence.ACCEPTED, False, False),
    "sending": (Evidence.ACCEPTED, False, False),
    "sent": (Evidence.ACCEPTED, False, False),
    "delivered": (Evidence.DELIVERED, False, True),
    "read": (Evidence.PRESENTED, False, True),
    "undelivered": (Evidence.NONE, True, True),
    "failed": (Evidence.NONE, True, True),
    "canceled": (Evidence.NONE, True, True),
    "partially_delivered": (Evidence.NONE, True, True),
}


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
def test_every_status_proves_what_it_says_and_no_more(status: str, meaning: tuple[Evidence, bool, bool]) -> None:
    word = statuses.read(status, None)
    assert word is not None
    assert (word.evidence, word.failed, word.final) == meaning


def test_every_known_status_stands_in_this_test() -> None:
    assert STATUSES.keys() == statuses.KNOWN


@pytest.mark.parametrize("status", ["receiving", "received", "", "DELIVERED", "delivered ", "acknowledged"])
def test_an_unknown_status_proves_nothing(status: str) -> None:
    assert statuses.read(status, None) is None


def test_a_delivery_with_an_error_code_or_after_a_failed_part_is_partial() -> None:
    """Twilio reports the parts of a long text one after the other, without a number."""
    for word in (statuses.read("delivered", 30003), statuses.read("delivered", None, failed_before=True)):
        assert word is not None
        assert word.failed
        assert (word.reason or "").startswith("partial")
