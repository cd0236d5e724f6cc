"""What a file in `in/` may say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.spool.letter import BYTES_MAX, BadLetterError, read_letter
from warnd.channel import Reply, Report
from warnd.model.evidence import Evidence

AT = "2026-07-03T07:30:00.250Z"


def letter(**document: Any) -> bytes:
    return json.dumps(document).encode()


def report(**changed: Any) -> bytes:
    return letter(**({"attempt": "a-1", "status": "delivered", "part": 1, "parts": 2, "at": AT} | changed))


@pytest.mark.parametrize(
    ("status", "evidence", "failed"), [("delivered", Evidence.DELIVERED, False), ("failed", Evidence.NONE, True)]
)
def test_every_status_means_what_the_table_says(status: str, evidence: Evidence, *, failed: bool) -> None:
    raw = report(status=status)
    assert read_letter(raw) == Report(
        channel="sms",
        attempt="a-1",
        evidence=evidence,
        failed=failed,
        part=1,
        parts=2,
        at=datetime(2026, 7, 3, 7, 30, tzinfo=UTC),
        raw=raw.decode(),
    )


def test_a_report_without_a_part_is_about_the_whole_message() -> None:
    found = read_letter(letter(attempt="a-1", status="delivered"))
    assert isinstance(found, Report)
    assert (found.part, found.parts, found.at) == (None, None, None)


def test_a_reason_is_kept() -> None:
    found = read_letter(report(status="failed", reason="UNDELIV absent subscriber"))
    assert isinstance(found, Report)
    assert found.reason == "UNDELIV absent subscriber"


def test_a_reply_keeps_what_was_said() -> None:
    raw = letter(**{"from": " +8613800138000 ", "text": "1", "at": "2026-07-03T15:30:00+08:00"})
    at = datetime(2026, 7, 3, 7, 30, tzinfo=UTC)
    assert read_letter(raw) == Reply(channel="sms", address="+8613800138000", text="1", at=at, raw=raw.decode())


def test_a_reply_may_be_empty() -> None:
    found = read_letter(letter(**{"from": "10086", "text": ""}))
    assert isinstance(found, Reply)
    assert found.text == ""


def test_unknown_keys_are_passed_over() -> None:
    assert isinstance(read_letter(report(gateway="x", cost=0.05)), Report)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert isinstance(read_letter(b"\xef\xbb\xbf" + report()), Report)


def test_characters_that_no_ledger_keeps_are_replaced_and_the_answer_stays() -> None:
    found = read_letter(b'{"from":"1","text":"\\ud83d1\\u0000"}')
    assert isinstance(found, Reply)
    assert found.text == "\ufffd1\ufffd"
    found.raw.encode()


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "not JSON"),
        (b"\x00\x01\x02", "not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"attempt":"a-1","status":"deliv', "not JSON"),
        (b"[]", "no object"),
        (b'"a-1"', "no object"),
        (b"null", "no object"),
        (b"{}", "either"),
        (b'{"attempt":"a","from":"b","status":"delivered","text":"1"}', "either"),
        (b'{"attempt":"a","attempt":"b","status":"delivered"}', "twice"),
        (b"[" * 60_000, "not JSON"),
        (b'{"a":' * 10_000, "not JSON"),
        (b" " * (BYTES_MAX + 1), "larger than"),
        (b'{"attempt":"a","status":"delivered","part":NaN,"parts":1}', "NaN"),
        (b'{"attempt":"a","status":"delivered","part":1,"parts":Infinity}', "Infinity"),
        (b'{"attempt":"a","status":"delivered","part":1,"parts":' + b"9" * 5000 + b"}", "not JSON"),
        (report(status="DELIVRD"), '"status"'),
        (report(status=None), '"status" is missing'),
        (report(status=["delivered"]), '"status"'),
        (report(status=True), '"status"'),
        (report(attempt=7), '"attempt"'),
        (report(attempt=""), '"attempt"'),
        (report(attempt="../a"), '"attempt"'),
        (report(attempt="/etc/passwd"), '"attempt"'),
        (report(attempt="a\u0000"), '"attempt"'),
        (report(attempt="a" * 129), '"attempt"'),
        (report(part=0), '"part"'),
        (report(part=3), '"part"'),
        (report(part=-1), '"part"'),
        (report(part=1.0), '"part"'),
        (report(part="1"), '"part"'),
        (report(part=True), '"part"'),
        (report(part=None), '"part" is missing'),
        (report(parts=None), '"parts" is missing'),
        (report(parts=256), '"parts"'),
        (report(at="yesterday"), '"at"'),
        (report(at="2026-07-03T07:30:00"), '"at"'),
        (report(at="2026-07-03"), '"at"'),
        (report(at="0001-01-01T00:00:00+14:00"), '"at"'),
        (report(at=1783063800), '"at"'),
        (letter(**{"from": "", "text": "1"}), '"from"'),
        (letter(**{"from": "  ", "text": "1"}), '"from"'),
        (letter(**{"from": 13800138000, "text": "1"}), '"from"'),
        (letter(**{"from": "1" * 65, "text": "1"}), '"from"'),
        (letter(**{"from": "1", "text": 1}), '"text"'),
        (letter(**{"from": "1"}), '"text" is missing'),
        (b'{"from":"\\ud83d","text":"1"}', '"from"'),
    ],
)
def test_anything_else_is_refused_with_its_cause(raw: bytes, cause: str) -> None:
    with pytest.raises(BadLetterError, match=cause):
        read_letter(raw)


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(BadLetterError):
        read_letter(raw)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["delivered", "failed", "a-1", AT]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["attempt", "status", "part", "parts", "at", "from", "text"]), values))
def test_any_object_is_read_whole_or_refused(document: dict[str, Any]) -> None:
    try:
        found = read_letter(json.dumps(document).encode())
    except BadLetterError as refusal:
        str(refusal).encode()  # It can be written beside the file.
        return
    assert found.raw.encode()
    if isinstance(found, Report):
        assert found.failed == (found.evidence is Evidence.NONE)
        assert found.part is None or (found.parts is not None and 1 <= found.part <= found.parts)
    assert found.at is None or found.at.utcoffset() is not None
