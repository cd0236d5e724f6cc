"""Commands: what is signed comes back as it was; whatever else comes is refused with the protocol's word (DESIGN §9, §13)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from tests.fakes.loudspeaker import DRILL, DRILL_KEY, LIVE_KEY, NOW, PLAY, STOP, STRANGE_KEY, TRUST, to_terminal
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Audio,
    Command,
    Refused,
    Speech,
    Status,
    Verb,
    Why,
    claim_of,
    fingerprint,
    kid_of,
    private_key_pem,
    public_bytes,
    sign_command,
    verify_command,
)
from warnd.model.loudspeaker.command import command_payload
from warnd.model.loudspeaker.keys import b64url

# RFC 9864 renames the algorithm and the other library warns; the contract has the name of RFC 8037.
rfc_8037_name = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")

SPOKEN = replace(PLAY, speech=(Speech("zh", "走", Audio("https://a.example/x.wav", "a" * 64, 1200)),), every_s=600)
ACK = replace(to_terminal(Verb.ACK), boot_id="boot-1", n=3, expires_at=None, ttl_s=None)
TIME = replace(to_terminal(Verb.TIME), boot_id="boot-1", at=NOW + timedelta(microseconds=5))
TEST = to_terminal(Verb.TEST)
VOLUME = replace(to_terminal(Verb.VOLUME), volume=0)
GOOD_HEADER = {"alg": "EdDSA", "typ": "warnd-cmd", "kid": kid_of(public_bytes(LIVE_KEY))}


def signed(payload: object, *, header: object = GOOD_HEADER) -> str:
    """Sign whatever is given with the live key, by hand, as an attacker who holds it could; bytes are taken as they are."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    text = f"{b64url(head)}.{b64url(body)}"
    return f"{text}.{b64url(LIVE_KEY.sign(text.encode()))}"


def changed(**changes: object) -> str:
    """Return the play command with fields of its payload changed, well signed."""
    return signed({**command_payload(PLAY), **changes})


def without(*names: str, of: Command = PLAY) -> str:
    """Return a command with fields of its payload left out, well signed."""
    return signed({name: value for name, value in command_payload(of).items() if name not in names})


def refusal(compact: str | bytes) -> Why | None:
    """Return the word with which a command is refused."""
    with pytest.raises(Refused) as refused:
        verify_command(compact, TRUST)
    assert refused.value.cause
    return refused.value.reason


@pytest.mark.parametrize(
    "command", [PLAY, SPOKEN, STOP, ACK, TIME, TEST, VOLUME], ids=lambda command: str(command.verb)
)
def test_a_signed_command_comes_back_as_it_was(command: Command) -> None:
    read = verify_command(sign_command(command, LIVE_KEY), TRUST)
    assert read == command
    assert read.kid == hashlib.sha256(public_bytes(LIVE_KEY)).hexdigest()[:16]


def test_a_drill_comes_back_under_the_drill_key() -> None:
    assert verify_command(sign_command(DRILL, DRILL_KEY), TRUST) == DRILL


def test_the_payload_has_every_key_of_the_contract() -> None:
    contract = [
        "v",
        "root",
        "to",
        "regions",
        "message_id",
        "chain_id",
        "seq",
        "verb",
        "status",
        "level",
        "event",
        "area",
        "headline",
        "speech",
        "repeat",
        "every_s",
        "volume",
        "tone",
        "issued_at",
        "expires_at",
        "ttl_s",
        "nonce",
    ]
    assert list(command_payload(PLAY)) == contract
    assert list(command_payload(ACK)) == [*contract, "boot_id", "n"]
    assert list(command_payload(TIME)) == [*contract, "boot_id", "at"]
    assert command_payload(PLAY)["issued_at"] == "2026-06-01T08:00:00Z"
    assert command_payload(PLAY)["level"] == "red"


@rfc_8037_name
def test_another_jose_library_verifies_what_we_sign() -> None:
    token = jws.deserialize_compact(
        sign_command(PLAY, LIVE_KEY), OKPKey.import_key(private_key_pem(LIVE_KEY)), algorithms=["EdDSA"]
    )
    assert json.loads(token.payload) == command_payload(PLAY)


@rfc_8037_name
def test_we_verify_what_another_jose_library_signs() -> None:
    key = OKPKey.import_key(private_key_pem(LIVE_KEY))
    compact = jws.serialize_compact(GOOD_HEADER, json.dumps(command_payload(PLAY)), key, algorithms=["EdDSA"])
    assert verify_command(compact, TRUST) == PLAY


@given(st.data())
def test_any_changed_byte_of_a_signed_command_is_refused(data: st.DataObject) -> None:
    compact = sign_command(PLAY, LIVE_KEY).encode()
    place = data.draw(st.integers(0, len(compact) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != compact[place]))
    assert refusal(compact[:place] + bytes([byte]) + compact[place + 1 :]) in {Why.BAD_SIGNATURE, Why.UNKNOWN_KEY}


def test_every_spelling_of_the_last_character_but_the_signed_one_is_refused() -> None:
    """The last character of a signature has spare bits that a lenient decoder ignores."""
    compact = sign_command(PLAY, LIVE_KEY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
    assert {refusal(compact[:-1] + letter) for letter in alphabet if letter != compact[-1]} == {Why.BAD_SIGNATURE}


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_rubbish_is_refused_and_nothing_else_is_raised(rubbish: bytes | str) -> None:
    assert refusal(rubbish) is Why.BAD_SIGNATURE


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + ".",
        lambda text: text.rsplit(".", 1)[0],
        lambda text: text.rsplit(".", 1)[0] + ".",
        lambda text: text.replace(".", "=.", 1),
        lambda text: text[:-3] + "é" + text[-2:],
        lambda _: "",
        lambda _: "..",
    ],
)
def test_text_that_is_not_exactly_jws_compact_is_refused(damage: Callable[[str], str]) -> None:
    assert refusal(damage(sign_command(PLAY, LIVE_KEY))) is Why.BAD_SIGNATURE


@pytest.mark.parametrize(
    "header",
    [
        {**GOOD_HEADER, "alg": "none"},
        {**GOOD_HEADER, "alg": "HS256"},
        {**GOOD_HEADER, "alg": "Ed25519"},
        {**GOOD_HEADER, "alg": "eddsa"},
        {**GOOD_HEADER, "typ": "warnd-rcpt"},
        {**GOOD_HEADER, "typ": "JWT"},
        {**GOOD_HEADER, "kid": 7},
        {**GOOD_HEADER, "crit": ["exp"]},
        {**GOOD_HEADER, "jwk": {"kty": "OKP"}},
        {**GOOD_HEADER, "jku": "https://evil.example"},
        {**GOOD_HEADER, "b64": False},
        {"alg": "EdDSA", "kid": GOOD_HEADER["kid"]},
        {"alg": "EdDSA", "typ": "warnd-cmd"},
        [],
        "EdDSA",
    ],
)
def test_a_header_that_is_not_exactly_alg_typ_kid_is_refused(header: object) -> None:
    assert refusal(signed(command_payload(PLAY), header=header)) is Why.BAD_SIGNATURE


def test_a_header_key_that_stands_twice_is_refused() -> None:
    raw = b'{"alg":"none","alg":"EdDSA","typ":"warnd-cmd","kid":"%s"}' % GOOD_HEADER["kid"].encode()
    assert refusal(signed(command_payload(PLAY), header=raw)) is Why.BAD_SIGNATURE


def test_an_unknown_key_is_refused_by_that_name() -> None:
    assert refusal(sign_command(PLAY, STRANGE_KEY)) is Why.UNKNOWN_KEY


def test_a_signature_by_another_key_under_a_known_kid_is_refused() -> None:
    body = sign_command(PLAY, LIVE_KEY).rsplit(".", 1)[0]
    assert refusal(f"{body}.{b64url(STRANGE_KEY.sign(body.encode()))}") is Why.BAD_SIGNATURE


def test_16_kib_are_taken_and_more_is_refused() -> None:
    lengths = range(11000, 12500)
    fits = max(length for length in lengths if len(changed(headline="x" * length)) <= 16 * 1024)
    assert len(changed(headline="x" * fits)) > 16 * 1024 - 4
    assert verify_command(changed(headline="x" * fits), TRUST).headline == "x" * fits
    assert refusal(changed(headline="x" * (fits + 1))) is Why.BAD_SIGNATURE


def test_signing_refuses_what_no_terminal_could_take() -> None:
    with pytest.raises(ValueError, match="16384"):
        sign_command(replace(PLAY, headline="长" * 9000), LIVE_KEY)
    with pytest.raises(ValueError, match="play needs level"):
        sign_command(replace(PLAY, level=None), LIVE_KEY)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"v":1,"v":1}',
        b'{"v":1.0}',
        b'{"v":1e0}',
        b'{"v":NaN}',
        b'{"v":Infinity}',
        b'{"v":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b"",
        b"{",
        b"[" * 11000,
        b'{"v":' + b"9" * 11000 + b"}",
        b'{"a":{"b":1,"b":2}}',
    ],
    ids=lambda payload: repr(payload[:24]),
)
def test_a_payload_that_is_not_strict_json_is_refused_though_it_is_signed(payload: bytes) -> None:
    assert refusal(signed(payload)) is None


def test_the_same_field_twice_inside_speech_is_refused() -> None:
    raw = json.dumps(command_payload(PLAY)).replace('"lang": "en"', '"lang": "en", "lang": "zh"').encode()
    assert refusal(signed(raw)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2),
        ("v", True),
        ("v", "1"),
        ("verb", "shout"),
        ("verb", None),
        ("root", "warnd/v2"),
        ("root", 1),
        ("to", "village:1"),
        ("to", "region:"),
        ("to", "region:a/b"),
        ("to", "terminal:+"),
        ("regions", "51"),
        ("regions", [51]),
        ("regions", [""]),
        ("message_id", "a b"),
        ("message_id", "x" * 41),
        ("message_id", ""),
        ("message_id", 1),
        ("chain_id", "a/b"),
        ("seq", 0),
        ("seq", -1),
        ("seq", True),
        ("seq", "1"),
        ("seq", 2**60),
        ("status", "Draft"),
        ("status", "actual"),
        ("level", "purple"),
        ("level", 1),
        ("event", 1),
        ("headline", ["x"]),
        ("speech", []),
        ("speech", {}),
        ("speech", ["x"]),
        ("speech", [{"lang": "zh", "text": "x", "audio": "y"}]),
        ("speech", [{"lang": "zh"}]),
        ("speech", [{"lang": "zh", "text": " "}]),
        ("speech", [{"lang": "-fx", "text": "x"}]),
        ("speech", [{"lang": "zh cn", "text": "x"}]),
        ("speech", [{"lang": "zh", "text": "x"}] * 17),
        ("speech", [{"lang": "zh", "text": "x", "audio": {"url": "u", "sha256": "abc", "duration_ms": 1}}]),
        ("speech", [{"lang": "zh", "text": "x", "audio": {"url": "u", "sha256": "a" * 64, "duration_ms": -1}}]),
        ("speech", [{"lang": "zh", "text": "x", "audio": {"sha256": "a" * 64, "duration_ms": 1}}]),
        ("repeat", 0),
        ("repeat", 101),
        ("every_s", 0),
        ("every_s", "600"),
        ("volume", 101),
        ("volume", -1),
        ("tone", []),
        ("issued_at", "2026-06-01 08:00:00Z"),
        ("issued_at", "2026-06-01T08:00:00"),
        ("issued_at", "2026-06-01T16:00:00+08:00"),
        ("issued_at", "2026-02-30T08:00:00Z"),
        ("issued_at", 1780300800),
        ("expires_at", "tomorrow"),
        ("ttl_s", -1),
        ("ttl_s", False),
        ("nonce", 5),
    ],
)
def test_a_field_of_the_wrong_type_or_out_of_range_is_refused_and_named(name: str, value: object) -> None:
    with pytest.raises(Refused, match=name) as refused:
        verify_command(changed(**{name: value}), TRUST)
    assert refused.value.reason is None


@pytest.mark.parametrize(
    "name",
    [
        "v",
        "root",
        "to",
        "message_id",
        "chain_id",
        "seq",
        "verb",
        "status",
        "level",
        "speech",
        "repeat",
        "issued_at",
        "expires_at",
        "ttl_s",
        "nonce",
    ],
)
def test_a_play_without_a_field_that_it_needs_is_refused_and_the_field_is_named(name: str) -> None:
    with pytest.raises(Refused, match=name):
        verify_command(without(name), TRUST)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (ACK, "boot_id"),
        (ACK, "n"),
        (TIME, "boot_id"),
        (TIME, "at"),
        (VOLUME, "volume"),
        (TEST, "expires_at"),
        (STOP, "seq"),
    ],
)
def test_other_verbs_need_their_own_fields(command: Command, name: str) -> None:
    with pytest.raises(Refused, match=name):
        verify_command(without(name, of=command), TRUST)


@pytest.mark.parametrize("command", [ACK, TIME, TEST, VOLUME], ids=lambda command: str(command.verb))
@pytest.mark.parametrize("place", [{"message_id": "m"}, {"chain_id": "c"}, {"seq": 1}], ids=str)
def test_what_is_outside_of_chains_has_no_place_in_one(command: Command, place: dict[str, object]) -> None:
    with pytest.raises(Refused, match="message_id, chain_id and seq"):
        verify_command(signed({**command_payload(command), **place}), TRUST)


def test_an_ack_may_leave_out_what_only_plays_have() -> None:
    names = [
        "regions",
        "level",
        "event",
        "area",
        "headline",
        "speech",
        "repeat",
        "every_s",
        "volume",
        "tone",
        "issued_at",
        "expires_at",
        "ttl_s",
        "nonce",
        "status",
    ]
    read = verify_command(without(*names, of=ACK), TRUST)
    assert (read.boot_id, read.n, read.nonce, read.status) == ("boot-1", 3, None, None)


def test_keys_that_the_contract_does_not_name_are_let_through() -> None:
    assert verify_command(changed(hours=["06:00", "22:00"]), TRUST) == PLAY


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T08:00:00Z", NOW),
        ("2026-06-01t08:00:00z", NOW),
        ("2026-06-01T08:00:00+00:00", NOW),
        ("2026-06-01T08:00:00.5Z", NOW + timedelta(milliseconds=500)),
        ("2026-06-01T08:00:00.000001999Z", NOW + timedelta(microseconds=1)),
    ],
)
def test_times_are_rfc_3339_utc_with_or_without_a_fraction(text: str, moment: datetime) -> None:
    assert verify_command(changed(issued_at=text), TRUST).issued_at == moment


def test_times_are_written_with_z_and_a_fraction_only_where_there_is_one() -> None:
    assert command_payload(TIME)["at"] == "2026-06-01T08:00:00.000005Z"
    with pytest.raises(ValueError, match="without a zone"):
        command_payload(replace(PLAY, issued_at=datetime(2026, 6, 1)))  # noqa: DTZ001 - naive is what must be refused


@pytest.mark.parametrize("status", [Status.EXERCISE, Status.TEST])
def test_a_drill_under_a_live_key_is_refused_on_either_root(status: Status) -> None:
    assert refusal(sign_command(replace(PLAY, status=status), LIVE_KEY)) is Why.DRILL_ON_LIVE
    assert refusal(sign_command(replace(DRILL, status=status), LIVE_KEY)) is Why.DRILL_ON_LIVE


def test_a_drill_key_commands_nothing_actual_and_nothing_live() -> None:
    assert refusal(sign_command(replace(DRILL, status=Status.ACTUAL), DRILL_KEY)) is Why.UNKNOWN_KEY
    assert refusal(sign_command(PLAY, DRILL_KEY)) is Why.UNKNOWN_KEY
    assert refusal(sign_command(replace(PLAY, status=Status.EXERCISE), DRILL_KEY)) is Why.UNKNOWN_KEY
    assert refusal(sign_command(to_terminal(Verb.TEST, root=LIVE_ROOT), DRILL_KEY)) is Why.UNKNOWN_KEY
    assert verify_command(sign_command(to_terminal(Verb.TEST, root=DRILL_ROOT), DRILL_KEY), TRUST).root == DRILL_ROOT


def test_a_retry_has_the_fingerprint_of_the_first_and_anything_else_another() -> None:
    later = timedelta(minutes=3)
    retry = replace(
        PLAY,
        nonce="other",
        to="terminal:T-0001",
        issued_at=NOW + later,
        expires_at=NOW + later,
        ttl_s=5,
    )
    assert fingerprint(retry) == fingerprint(PLAY)
    others = [
        replace(PLAY, headline="x"),
        replace(PLAY, regions=("51",)),
        replace(PLAY, message_id="flood-9"),
        replace(PLAY, repeat=2),
        replace(PLAY, speech=PLAY.speech[:1]),
    ]
    assert len({fingerprint(command) for command in [PLAY, *others]}) == 1 + len(others)


def test_a_refused_command_can_be_named_by_what_it_says_of_itself() -> None:
    claim = claim_of(sign_command(PLAY, STRANGE_KEY))
    assert (claim.verb, claim.message_id, claim.seq, claim.nonce) == (Verb.PLAY, "flood-1", 1, "nonce-1")
    assert claim_of(b"\xff").message_id is None
    assert claim_of(changed(seq="many")).seq is None


@given(
    st.builds(
        lambda text, seq, volume, at: replace(
            PLAY, headline=text, seq=seq, volume=volume, issued_at=at, speech=(Speech("zh", text + "。"),)
        ),
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
        seq=st.integers(1, 2**53 - 1),
        volume=st.none() | st.integers(0, 100),
        at=st.datetimes(timezones=st.just(UTC)),
    )
)
def test_any_command_that_can_be_signed_comes_back(command: Command) -> None:
    assert verify_command(sign_command(command, LIVE_KEY), TRUST) == command
