"""What each answer of a gateway means. Nothing that was not clearly taken is ever accepted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.http_gateway.fates import STATUSES, fate_of
from channels.sms.http_gateway.verdict import Answer, judge
from warnd.channel import Accepted, Failed, Unknown
from warnd.settings.sections.sms_http import SmsHttp

PHONES = ["+8613800138000", "+8613800138001", "+8613800138002"]
CODES = {"1": "permanent", "2": "transient", "3": "throttled", "4": "ambiguous"}


def section(**answer: Any) -> SmsHttp:
    answer = {"code": "/code", "success": ["0"], "reason": "/msg", "reference": "/id", **answer}
    return SmsHttp.model_validate(
        {
            "url": "https://g.example/",
            "fields": {"a": "{text}{numbers}"},
            "number_format": "national",
            "codes": CODES,
            "answer": answer,
        }
    )


def answer(told: Any, *, status: int = 200, retry_after_s: float | None = None) -> Answer:
    return Answer(status, told if isinstance(told, bytes) else json.dumps(told).encode(), retry_after_s)


@pytest.mark.parametrize("status", range(200, 600))
def test_every_status_has_a_meaning_and_none_blames_the_number(status: int) -> None:
    assert fate_of(status, told_to_wait=False) in {"transient", "throttled", "ambiguous"}
    (outcome, *_) = judge(answer(b"<html>", status=status), PHONES, section()).outcomes
    assert isinstance(outcome, Failed | Unknown)
    if status in STATUSES:
        assert fate_of(status, told_to_wait=False) == STATUSES[status]


@pytest.mark.parametrize("status", [200, 202, 226, 500, 502, 504, 520])
def test_after_these_it_may_have_left(status: int) -> None:
    assert isinstance(judge(answer(b"", status=status), PHONES, section()).outcomes[0], Unknown)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 501, 503])
def test_after_these_it_certainly_did_not_leave(status: int) -> None:
    outcome = judge(answer(b"", status=status), PHONES, section()).outcomes[0]
    assert isinstance(outcome, Failed)
    assert outcome.retry == "transient"


@pytest.mark.parametrize("told", ["\ud800", "a\0b", "x" * 1_000_000])
def test_an_id_that_no_store_keeps_spoils_no_outcome(told: str) -> None:
    (outcome, *_) = judge(answer({"code": "0", "id": told}), PHONES, section()).outcomes
    assert isinstance(outcome, Accepted)
    assert outcome.reference is not None
    assert outcome.reference.encode().isascii()
    assert len(outcome.reference) < 5_000
    assert "\0" not in outcome.reference


@pytest.mark.parametrize(("status", "wait_s"), [(429, 7.0), (503, 7.0)])
def test_a_gateway_that_says_how_long_to_wait_is_heeded(status: int, wait_s: float) -> None:
    outcome = judge(answer(b"", status=status, retry_after_s=wait_s), PHONES, section()).outcomes[0]
    assert outcome == Failed(f"HTTP {status}", retry="throttled", retry_after_s=wait_s)


EXPECTED = {
    "0": Accepted("http:77"),
    "1": Failed("1 words", retry="permanent"),
    "2": Failed("2 words"),
    "3": Failed("3 words", retry="throttled", retry_after_s=5.0),
    "4": Unknown("4 words"),
    "unheard of": Failed("unheard of words"),
}


@pytest.mark.parametrize(("code", "outcome"), EXPECTED.items())
def test_every_kind_of_code_means_what_the_settings_say(code: str, outcome: object) -> None:
    verdict = judge(answer({"code": code, "msg": "words", "id": 77}), PHONES, section())
    assert verdict.outcomes == [outcome] * 3
    assert verdict.refused_whole == (code == "1")


def test_a_known_code_says_more_than_the_http_status() -> None:
    assert judge(answer({"code": 1}, status=400), PHONES, section()).outcomes[0] == Failed("1", retry="permanent")


def test_success_under_a_status_of_failure_is_not_believed() -> None:
    assert not isinstance(judge(answer({"code": "0"}, status=500), PHONES, section()).outcomes[0], Accepted)


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 201, 202]))
def test_garbage_is_never_taken_for_yes(body: bytes, status: int) -> None:
    for description in (section(), section(format="text", code="^code=(.+)$", reason=None, reference=None)):
        if b"code" not in body:
            assert isinstance(judge(Answer(status, body), PHONES, description).outcomes[0], Unknown)


def test_a_wrong_charset_does_not_hide_the_code() -> None:
    told = '{"code":"2","msg":"系统忙"}'.encode("gbk")
    outcome = judge(answer(told), PHONES, section()).outcomes[0]
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("2 ")


def test_a_list_of_the_refused_leaves_the_others_accepted() -> None:
    description = section(results="/bad", unlisted="accepted", result={"number": "/n", "code": "/c", "reason": "/m"})
    told = {
        "code": 0,
        "id": "b1",
        "bad": [{"n": "13800138001", "c": 1, "m": "empty number"}, {"n": "8613800138002", "c": 3}],
    }
    assert judge(answer(told), PHONES, description).outcomes == [
        Accepted("http:b1"),
        Failed("1 empty number", retry="permanent"),
        Failed("3", retry="throttled", retry_after_s=5.0),
    ]
    del told["bad"]
    assert judge(answer(told), PHONES, description).outcomes == [Accepted("http:b1")] * 3


def test_a_list_of_all_numbers_gives_each_its_own_reference_and_leaves_the_missing_unknown() -> None:
    description = section(results="/all", result={"number": "/n", "code": "/c", "reference": "/id"})
    told = {
        "code": 0,
        "id": "b1",
        "all": [{"n": "+86 138-0013-8000", "c": 0, "id": "m1"}, {"n": "13800138001"}, "rubbish"],
    }
    assert judge(answer(told), PHONES, description).outcomes == [
        Accepted("http:m1"),
        Unknown("the answer has no code for this number"),
        Unknown("the answer does not name this number"),
    ]
    told["all"] = "rubbish"
    assert judge(answer(told), PHONES, description).outcomes == [Unknown("the answer has no list of results")] * 3


def test_a_text_answer_is_read_by_patterns() -> None:
    description = section(format="text", code=r"^(-?\d+),", success=["0"], reference=r"^0,(\w+)", reason=r",(.*)$")
    assert judge(answer(b"0,a77"), PHONES, description).outcomes == [Accepted("http:a77")] * 3
    assert judge(answer(b"-2,no money"), PHONES, description).outcomes == [Failed("-2 no money")] * 3
