"""Receipts and states: proof comes back as it was; whoever speaks for another terminal is refused (DESIGN §9, §13)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.loudspeaker import NOW, STRANGE_KEY, TERMINAL, TERMINAL_KEY
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Amplifier,
    ClockState,
    Receipt,
    Refused,
    Stage,
    TerminalState,
    Why,
    parse_state,
    public_bytes,
    receipt_topic,
    sign_receipt,
    state_text,
    state_topic,
    verify_receipt,
)
from warnd.model.loudspeaker.jws import sign
from warnd.model.loudspeaker.receipt import receipt_payload

TOPIC = receipt_topic(LIVE_ROOT, TERMINAL)
PUBLIC = public_bytes(TERMINAL_KEY)
PLAYED = Receipt(
    root=LIVE_ROOT,
    terminal=TERMINAL,
    boot_id="boot-1",
    n=3,
    stage=Stage.PLAYED,
    at=NOW,
    message_id="flood-1",
    seq=1,
    nonce="nonce-1",
    pass_done=1,
    played_ms=11700,
    volume=80,
    amplifier=Amplifier.OK,
)


def changed(**changes: object) -> str:
    """Return the receipt with fields of its payload changed, well signed."""
    return sign({**receipt_payload(PLAYED), **changes}, TERMINAL_KEY, typ="warnd-rcpt", kid=TERMINAL)


def refusal(compact: str | bytes, topic: str = TOPIC) -> Why | None:
    """Return the word with which a receipt is refused."""
    with pytest.raises(Refused) as refused:
        verify_receipt(compact, topic, PUBLIC)
    return refused.value.reason


@pytest.mark.parametrize(
    "receipt",
    [
        PLAYED,
        replace(PLAYED, stage=Stage.FAILED, reason=Why.UNKNOWN_KEY, message_id=None, seq=None, nonce=None, volume=None),
        replace(PLAYED, at=NOW - timedelta(days=2, microseconds=1), amplifier=Amplifier.FAULT, reason=Why.AMPLIFIER),
    ],
)
def test_a_signed_receipt_comes_back_as_it_was(receipt: Receipt) -> None:
    assert verify_receipt(sign_receipt(receipt, TERMINAL_KEY), TOPIC, PUBLIC) == receipt


def test_the_payload_has_every_key_of_the_contract() -> None:
    assert list(receipt_payload(PLAYED)) == (
        [
            "v",
            "root",
            "terminal",
            "boot_id",
            "n",
            "message_id",
            "seq",
            "nonce",
            "stage",
            "pass_done",
            "played_ms",
            "volume",
            "amplifier",
            "reason",
            "at",
        ]
    )


@given(st.data())
def test_any_changed_byte_of_a_signed_receipt_is_refused(data: st.DataObject) -> None:
    compact = sign_receipt(PLAYED, TERMINAL_KEY).encode()
    place = data.draw(st.integers(0, len(compact) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != compact[place]))
    assert refusal(compact[:place] + bytes([byte]) + compact[place + 1 :]) in {Why.BAD_SIGNATURE, Why.UNKNOWN_KEY}


def test_a_receipt_speaks_only_for_the_terminal_and_root_of_its_topic() -> None:
    compact = sign_receipt(PLAYED, TERMINAL_KEY)
    assert refusal(compact, receipt_topic(LIVE_ROOT, "T-0002")) is Why.UNKNOWN_KEY
    assert refusal(compact, receipt_topic(DRILL_ROOT, TERMINAL)) is Why.NOT_FOR_ME
    assert refusal(compact, state_topic(LIVE_ROOT, TERMINAL)) is Why.NOT_FOR_ME
    assert refusal(changed(terminal="T-0002")) is Why.NOT_FOR_ME
    assert refusal(changed(root=DRILL_ROOT)) is Why.NOT_FOR_ME


def test_a_receipt_by_another_key_is_refused() -> None:
    assert refusal(sign_receipt(PLAYED, STRANGE_KEY)) is Why.BAD_SIGNATURE


def test_a_command_is_no_receipt() -> None:
    assert refusal(sign(receipt_payload(PLAYED), TERMINAL_KEY, typ="warnd-cmd", kid=TERMINAL)) is Why.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 0),
        ("root", "x"),
        ("boot_id", None),
        ("boot_id", "a/b"),
        ("n", 0),
        ("n", True),
        ("n", None),
        ("message_id", ""),
        ("seq", 0),
        ("nonce", 1),
        ("stage", "heard"),
        ("stage", None),
        ("pass_done", -1),
        ("played_ms", "1"),
        ("volume", 101),
        ("amplifier", "broken"),
        ("amplifier", None),
        ("reason", "tired"),
        ("at", None),
        ("at", "2026-06-01"),
    ],
)
def test_a_field_of_the_wrong_type_or_out_of_range_is_refused_and_named(name: str, value: object) -> None:
    with pytest.raises(Refused, match=name) as refused:
        verify_receipt(changed(**{name: value}), TOPIC, PUBLIC)
    assert refused.value.reason is None


def test_counts_may_be_null_where_there_is_nothing_to_count() -> None:
    read = verify_receipt(changed(stage="received", pass_done=None, played_ms=None), TOPIC, PUBLIC)
    assert (read.pass_done, read.played_ms) == (0, 0)


def test_a_registered_key_of_the_wrong_length_refuses_and_does_not_crash() -> None:
    with pytest.raises(Refused):
        verify_receipt(sign_receipt(PLAYED, TERMINAL_KEY), TOPIC, b"short")


def test_signing_refuses_what_no_daemon_could_take() -> None:
    with pytest.raises(ValueError, match="n is '0'"):
        sign_receipt(replace(PLAYED, n=0), TERMINAL_KEY)


STATE = TerminalState(
    terminal=TERMINAL,
    online=True,
    boot_id="boot-1",
    uptime_s=5,
    heartbeat_s=30,
    playing="flood-1",
    volume=80,
    amplifier=Amplifier.FAULT,
    clock=ClockState.UNSYNCED,
    firmware="warnd 0.1.0",
    last_message="flood-1",
    at=NOW,
)
STATE_TOPIC = state_topic(LIVE_ROOT, TERMINAL)


def test_a_state_comes_back_as_it_was_with_every_key_of_the_contract() -> None:
    assert parse_state(state_text(STATE), STATE_TOPIC) == STATE
    assert list(json.loads(state_text(STATE))) == (
        [
            "v",
            "terminal",
            "online",
            "boot_id",
            "uptime_s",
            "heartbeat_s",
            "playing",
            "volume",
            "amplifier",
            "clock",
            "firmware",
            "last_message",
            "at",
        ]
    )


def test_a_will_of_few_words_is_enough_to_be_offline() -> None:
    assert parse_state(b'{"v":1,"terminal":"T-0001","online":false}', STATE_TOPIC).online is False


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"v":1,"terminal":"T-0001"}',
        b'{"v":1,"terminal":"T-0001","online":1}',
        b'{"v":1,"terminal":"T-0001","online":true,"online":false}',
        b'{"v":1,"terminal":"T-0001","online":true,"heartbeat_s":0}',
        b'{"v":1,"terminal":"T-0001","online":true,"uptime_s":1.5}',
        b'{"v":1,"terminal":"T-0001","online":true,"clock":"late"}',
        b'{"v":1,"terminal":"T-0002","online":true}',
        b'{"v":1,"terminal":"T-0001","online":true,"firmware":"' + b"x" * 17000 + b'"}',
    ],
    ids=lambda text: repr(text[-30:]),
)
def test_a_state_that_breaks_the_format_or_speaks_for_another_is_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        parse_state(text, STATE_TOPIC)


@given(st.binary(max_size=300))
def test_rubbish_as_state_or_receipt_is_refused_and_nothing_else_is_raised(rubbish: bytes) -> None:
    with pytest.raises(Refused):
        parse_state(rubbish, STATE_TOPIC)
    assert refusal(rubbish) is Why.BAD_SIGNATURE
