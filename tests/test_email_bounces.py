"""What comes back by mail: who is believed, what each action proves, and what is kept for people."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.bounce import Mail, read
from channels.email.verp import Tokens, verp
from tests.fakes.email_bounces import answer, bounce
from warnd.channel import Reply, Report
from warnd.model.evidence import Evidence
from warnd.model.sms import parse_reply

ATTEMPT = "a3b35babb0-2-1"
TOKENS = Tokens(b"a secret of this test alone")
FORGER = Tokens(b"a secret of somebody else")
TO = verp("bounce@county.example", TOKENS.token(ATTEMPT))
FORGED = verp("bounce@county.example", FORGER.token(ATTEMPT))
OWN = frozenset({"warn@county.example", "bounce@county.example"})
AT = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)


def seen(raw: bytes) -> Mail:
    return read(raw, TOKENS, own=OWN)


def report(raw: bytes) -> Report:
    mail = seen(raw)
    assert mail.kind == "report"
    (receipt,) = mail.receipts
    assert isinstance(receipt, Report)
    return receipt


@pytest.mark.parametrize(
    ("action", "evidence", "failed"),
    [
        ("failed", Evidence.NONE, True),
        ("delivered", Evidence.DELIVERED, False),
        ("Delivered", Evidence.DELIVERED, False),
        ("delayed", Evidence.ACCEPTED, False),
        ("relayed", Evidence.ACCEPTED, False),
        ("expanded", Evidence.ACCEPTED, False),
    ],
)
def test_each_action_proves_what_it_says_and_no_more(action: str, evidence: Evidence, *, failed: bool) -> None:
    found = report(bounce(to=TO, action=action, status="5.1.1", diagnostic="550 5.1.1 unknown user"))
    assert (found.channel, found.attempt, found.evidence, found.failed, found.at) == (
        "email",
        ATTEMPT,
        evidence,
        failed,
        AT,
    )


def test_a_failure_says_why() -> None:
    assert report(bounce(to=TO, diagnostic="550 5.1.1 unknown user")).reason == "5.1.1 550 5.1.1 unknown user"
    assert report(bounce(to=TO, status="", diagnostic="")).reason == "returned"


@pytest.mark.parametrize(
    ("status", "dead"),
    [("5.1.1", True), ("5.1.10", True), ("4.4.7", False), ("5.7.1", True), ("5.99.9", False), ("", False)],
)
def test_a_bounce_ends_an_address_only_where_a_refusal_would(status: str, *, dead: bool) -> None:
    assert report(bounce(to=TO, status=status, diagnostic="")).permanent == dead


def test_an_unknown_action_proves_nothing_and_is_kept() -> None:
    assert seen(bounce(to=TO, action="eaten")) == Mail("rubbish")


@pytest.mark.parametrize(
    "raw",
    [
        bounce(to=TO),
        bounce(to=TO.upper()),
        bounce(envelope_id=TOKENS.token(ATTEMPT)),
        bounce(message_id=f"<{TOKENS.token(ATTEMPT)}@county.example>"),
        bounce(to=FORGED, message_id=f"<{TOKENS.token(ATTEMPT)}@county.example>"),
        b"Delivered-To: " + TO.encode() + b"\r\n" + bounce(),
    ],
    ids=["address", "address in capitals", "envelope id", "message id", "only one of two is ours", "delivered to"],
)
def test_a_report_is_matched_by_any_token_of_ours(raw: bytes) -> None:
    assert report(raw).attempt == ATTEMPT


@pytest.mark.parametrize("action", ["delivered", "failed"])
@pytest.mark.parametrize(
    "raw",
    [
        {"to": FORGED},
        {"to": f"bounce+{ATTEMPT}@county.example"},
        {"to": "bounce@county.example"},
        {"envelope_id": FORGER.token(ATTEMPT)},
        {"envelope_id": ATTEMPT},
        {"message_id": f"<{ATTEMPT}@county.example>"},
        {"to": TO.replace("-2-1", "-3-1")},
    ],
)
def test_a_forged_report_neither_delivers_nor_fails_anything(raw: dict[str, Any], action: str) -> None:
    assert seen(bounce(action=action, **raw)) == Mail("rubbish")


def test_without_a_secret_nothing_is_believed() -> None:
    bare = Tokens(None)
    assert bare.token(ATTEMPT) == ATTEMPT
    assert read(bounce(to=f"bounce+{ATTEMPT}@county.example"), bare) == Mail("rubbish")
    assert read(bounce(to=TO), bare) == Mail("rubbish")


def test_a_list_that_the_mail_was_handed_on_to_reports_for_each() -> None:
    both = bounce(to=TO, blocks=2, action="delivered").replace(b"Action: delivered", b"Action: failed", 1)
    mail = seen(both)
    assert [receipt.evidence for receipt in mail.receipts if isinstance(receipt, Report)] == [
        Evidence.NONE,
        Evidence.DELIVERED,
    ]


def test_the_same_report_for_two_is_one() -> None:
    assert len(seen(bounce(to=TO, blocks=2)).receipts) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; because"},
        {"X_Autoreply": "yes"},
        {"Precedence": "bulk"},
        {"List_Id": "<list.village.example>"},
    ],
)
def test_a_machine_that_answers_is_not_an_answer(headers: dict[str, str]) -> None:
    assert seen(answer("我在休假。收到", **headers)) == Mail("noise")


def test_a_notice_of_display_is_not_an_answer() -> None:
    raw = bounce(to=TO).replace(b"delivery-status", b"disposition-notification")
    assert seen(raw).kind == "noise"


def test_what_a_person_answers_is_kept_with_its_first_lines() -> None:
    text = (
        "收到，\r\n  我们\x07马上转移\r\n\r\nthird\r\nfourth\r\n\r\nOn Sun, Li wrote:\r\n> 洪水红色预警\r\n> 请立即转移"
    )
    mail = seen(answer(text, subject="=?utf-8?b?5Zue5aSN?="))
    assert mail.kind == "answer"
    assert mail.receipts == (
        Reply("email", address="li@village.example", text="Subject: 回复\n收到，\n我们 马上转移\nthird\nfourth", at=AT),
    )


@pytest.mark.parametrize("text", ["1", "收到", "ok", "TD", "STOP", "退订"])
@pytest.mark.parametrize("subject", ["", "Re: flood", "1", "ok"])
def test_a_mail_in_anybodys_name_is_never_taken_for_a_confirmation_or_a_request_to_stop(
    text: str, subject: str
) -> None:
    (reply,) = seen(answer(text, subject=subject)).receipts
    assert isinstance(reply, Reply)
    assert parse_reply(reply.text) == parse_reply("whatever else")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"no header at all",
        answer("", sender="li@village.example"),
        answer("hello", sender="no address"),
        answer("> only quoted"),
        b"Return-Path: <>\r\n" + answer("Hi. This is the qmail-send program."),
        answer("x").replace(b"text/plain; charset=utf-8", b"image/png"),
    ],
)
def test_rubbish_is_rubbish(raw: bytes) -> None:
    assert seen(raw) == Mail("rubbish")


@pytest.mark.parametrize(
    "sender", ["=?unicode_escape?q?li=5Cud800@b.example?=", "=?unicode_escape?q?li=5Cx00@b.example?="]
)
def test_an_address_that_no_store_keeps_is_rubbish(sender: str) -> None:
    """As an answer it came back at every look; two hundred of them kept every bounce behind them from being read."""
    assert seen(f"From: {sender}\nSubject: x\n\nhello\n".encode()) == Mail("rubbish")


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 1 Jan 99999999999999999999 00:00:00 +0000", "9" * 5000]
)
def test_a_date_that_no_calendar_has_takes_nothing_from_a_mail(date: str) -> None:
    """It ended the channel: one mail of a stranger, and no warning left by mail any more."""
    (one,) = seen(f"From: li@village.example\nSubject: x\nDate: {date}\n\nhello\n".encode()).receipts
    assert one.at is None


def test_a_mail_of_boxes_in_boxes_takes_no_time() -> None:
    boxes = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (each, each) for each in range(400))
    began = time.process_time()
    assert seen(boxes + b"\n" * 100_000) == Mail("rubbish")  # It took 2.5 s.
    assert time.process_time() - began < 0.5


def test_an_answer_in_an_unknown_character_set_is_still_kept() -> None:
    assert seen(answer("ok then").replace(b"utf-8", b"x-none")).kind == "answer"


def test_our_own_mail_is_noise() -> None:
    assert seen(answer("hello", sender="Warn <WARN@county.example>")) == Mail("noise")


@given(st.binary(max_size=400))
def test_no_mail_breaks_the_reader(raw: bytes) -> None:
    assert seen(raw).kind in {"answer", "noise", "rubbish"}


@given(st.data())
def test_no_harm_to_a_true_report_breaks_the_reader_or_proves_more(data: st.DataObject) -> None:
    raw = bounce(to=TO, action="failed", diagnostic="550 5.1.1 no")
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    mail = seen(raw[:start] + data.draw(st.binary(max_size=20)) + raw[end:])
    evidence = [each.evidence for each in mail.receipts if isinstance(each, Report)]
    assert all(each < Evidence.DELIVERED for each in evidence)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_a_token_survives_its_way_and_fits_into_an_address(attempt: str) -> None:
    token = TOKENS.token(attempt)
    assert TOKENS.attempt(token) == attempt
    address = verp("bounce@county.example", token)
    assert len(address.partition("@")[0]) <= 64
    assert FORGER.attempt(token) is None


@given(st.text(max_size=80))
def test_no_other_text_is_a_token(text: str) -> None:
    assert TOKENS.attempt(text) is None
