"""Commands from the daemon to terminals: their fields, their JSON, their signature (DESIGN §9, §13).

Judges a command by itself: form, signature, and whether its key may sign for its root and status. Whether it is meant
for this terminal, in time, or known already is the terminal's to say.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.level import Level
from warnd.model.loudspeaker.fields import Fields, FormatError, time_text
from warnd.model.loudspeaker.jws import peek, sign, verify
from warnd.model.loudspeaker.keys import kid_of, public_bytes
from warnd.model.loudspeaker.refused import Refused, Why
from warnd.model.loudspeaker.topics import LIVE_ROOT, ROOTS
from warnd.model.loudspeaker.trust import Trust

SPEECH_MAX: Final = 16
REPEAT_MAX: Final = 100
VOLUME_MAX: Final = 100

_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class Verb(StrEnum):
    """What a terminal is told to do."""

    PLAY = "play"
    STOP = "stop"
    TEST = "test"
    VOLUME = "volume"
    ACK = "ack"
    TIME = "time"


CHAINED: Final = frozenset({Verb.PLAY, Verb.STOP})  # The verbs that have a place in a chain.
_BARE: Final = frozenset({Verb.ACK, Verb.TIME})  # Bound to a boot, so they need no life of their own.


class Status(StrEnum):
    """CAP `status` as far as terminals ever hear of it."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    TEST = "Test"


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording to play instead of the local voice; `sha256` in lower-case hex, `duration_ms` by the sender."""

    url: str
    sha256: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said in one language. `lang` is a BCP 47 tag."""

    lang: str
    text: str
    audio: Audio | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. Which fields a verb needs stands in `read_command`; the others are None or empty.

    Attributes:
        to: "region:<padded code>" or "terminal:<id>", as the topic has it.
        regions: Unpadded prefixes of those who shall play; None = all who read the topic.
        seq: The message's place in its chain, the Alert is 1.
        repeat: Whole passes per round, 1 or more.
        every_s: Seconds until the next round; None = one round.
        volume: 0..100; None = as the terminal is set.
        tone: What to sound before the speech; None, false, 0 and "" = nothing.
        ttl_s: Life from arrival, for terminals without a clock.
        boot_id, n: Of `ack` (receipts 1..n of that boot are committed); `boot_id` also of `time`.
        at: Of `time`, the centre's clock.
        kid: Whose signature was verified; empty on commands that were not read from the wire.
    """

    root: str
    to: str
    verb: Verb
    nonce: str | None
    issued_at: datetime | None
    status: Status | None = None
    regions: tuple[str, ...] | None = None
    message_id: str | None = None
    chain_id: str | None = None
    seq: int | None = None
    level: Level | None = None
    event: str = ""
    area: str = ""
    headline: str = ""
    speech: tuple[Speech, ...] = ()
    repeat: int | None = None
    every_s: int | None = None
    volume: int | None = None
    tone: str | int | None = None
    expires_at: datetime | None = None
    ttl_s: int | None = None
    boot_id: str | None = None
    n: int | None = None
    at: datetime | None = None
    kid: str = field(default="", compare=False)


def sign_command(command: Command, key: Ed25519PrivateKey) -> str:
    """Return the JWS compact string of `command` under the `kid` of `key`.

    Raises:
        ValueError: No terminal could take it: a field is missing or out of range, or it is longer than 16 KiB.
    """
    payload = command_payload(command)
    read_command(payload)
    return sign(payload, key, typ="warnd-cmd", kid=kid_of(public_bytes(key)))


def verify_command(compact: str | bytes, trust: Trust) -> Command:
    """Return the command whose signature holds under a key trusted for its root and status.

    Raises:
        Refused: bad_signature, unknown_key (also a key for another root), drill_on_live; no word for a broken format.
    """
    kid, payload = verify(compact, "warnd-cmd", find_key=lambda kid: trust[kid].public_key if kid in trust else None)
    try:
        command = read_command(payload)
    except FormatError as error:
        raise Refused(None, f"payload: {error}") from error
    _check_world(command, trust[kid].root)
    return replace(command, kid=kid)


def _check_world(command: Command, key_root: str) -> None:
    drill = command.root != LIVE_ROOT or command.status not in {None, Status.ACTUAL}
    if drill and key_root == LIVE_ROOT:
        raise Refused(Why.DRILL_ON_LIVE, f"{command.status} on {command.root} under a live key")
    if command.root != key_root or (command.status is Status.ACTUAL and key_root != LIVE_ROOT):
        raise Refused(Why.UNKNOWN_KEY, f"the key is trusted for {key_root}, not for {command.status} on {command.root}")


def fingerprint(command: Command) -> str:
    """Return what stays equal when a command is sent again: all of it but nonce, to and times (DESIGN §9)."""
    payload = command_payload(command)
    for changing in ("nonce", "to", "issued_at", "expires_at", "ttl_s"):
        del payload[changing]
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode("ascii")).hexdigest()


def command_payload(command: Command) -> dict[str, object]:
    """Return the JSON payload, every key of the contract present."""
    payload: dict[str, object] = {
        "v": 1,
        "root": command.root,
        "to": command.to,
        "regions": None if command.regions is None else list(command.regions),
        "message_id": command.message_id,
        "chain_id": command.chain_id,
        "seq": command.seq,
        "verb": command.verb.value,
        "status": None if command.status is None else command.status.value,
        "level": None if command.level is None else command.level.word,
        "event": command.event,
        "area": command.area,
        "headline": command.headline,
        "speech": [_speech_payload(speech) for speech in command.speech],
        "repeat": command.repeat,
        "every_s": command.every_s,
        "volume": command.volume,
        "tone": command.tone,
        "issued_at": None if command.issued_at is None else time_text(command.issued_at),
        "expires_at": None if command.expires_at is None else time_text(command.expires_at),
        "ttl_s": command.ttl_s,
        "nonce": command.nonce,
    }
    if command.verb in _BARE:
        payload["boot_id"] = command.boot_id
    if command.verb is Verb.ACK:
        payload["n"] = command.n
    if command.verb is Verb.TIME:
        payload["at"] = None if command.at is None else time_text(command.at)
    return payload


def _speech_payload(speech: Speech) -> dict[str, object]:
    audio = speech.audio
    played = None if audio is None else {"url": audio.url, "sha256": audio.sha256, "duration_ms": audio.duration_ms}
    return {"lang": speech.lang, "text": speech.text, "audio": played}


def read_command(payload: Mapping[str, object]) -> Command:
    """Return the command in a payload.

    `play` and `stop` need message_id, chain_id, seq, status, issued_at, expires_at, ttl_s and nonce, `play` also level,
    speech and repeat; `test` and `volume` need issued_at, expires_at, ttl_s and nonce, `volume` also volume; `ack`
    needs boot_id and n, `time` boot_id and at.

    Raises:
        FormatError: A field is missing, of the wrong type or out of range.
    """
    fields = Fields(payload)
    fields.integer("v", low=1, high=1)
    verb = fields.word("verb", Verb)
    command = _envelope(fields, verb)
    _check_root_and_to(command)
    _check_chain(command)
    _check_needed(command)
    return command


def _envelope(fields: Fields, verb: Verb) -> Command:
    level = fields.text_or_none("level")
    return Command(
        root=fields.text("root"),
        to=fields.text("to"),
        verb=verb,
        nonce=fields.text_or_none("nonce"),
        issued_at=fields.time_or_none("issued_at"),
        status=fields.word_or_none("status", Status),
        regions=fields.labels_or_none("regions"),
        message_id=fields.message_id("message_id"),
        chain_id=fields.message_id("chain_id"),
        seq=fields.integer_or_none("seq", low=1),
        level=None if level is None else _level(level),
        event=fields.text_or_none("event") or "",
        area=fields.text_or_none("area") or "",
        headline=fields.text_or_none("headline") or "",
        speech=tuple(_speech(one) for one in fields.objects("speech", most=SPEECH_MAX)),
        repeat=fields.integer_or_none("repeat", low=1, high=REPEAT_MAX),
        every_s=fields.integer_or_none("every_s", low=1),
        volume=fields.integer_or_none("volume", high=VOLUME_MAX),
        tone=fields.scalar_or_none("tone"),
        expires_at=fields.time_or_none("expires_at"),
        ttl_s=fields.integer_or_none("ttl_s"),
        boot_id=fields.label_or_none("boot_id") if verb in _BARE else None,
        n=fields.integer_or_none("n", low=1) if verb is Verb.ACK else None,
        at=fields.time_or_none("at") if verb is Verb.TIME else None,
    )


def _level(word: str) -> Level:
    try:
        return Level.named(word)
    except ValueError as error:
        raise FormatError(f"level: {error}") from error


def _speech(fields: Fields) -> Speech:
    lang = fields.text("lang")
    if not _LANG.fullmatch(lang):
        raise fields.wrong("lang", "a BCP 47 tag")
    text = fields.text("text")
    if not text.strip():
        raise fields.wrong("text", "words")
    audio = fields.object_or_none("audio")
    return Speech(lang=lang, text=text, audio=None if audio is None else _audio(audio))


def _audio(fields: Fields) -> Audio:
    digest = fields.text("sha256")
    if not _SHA256.fullmatch(digest):
        raise fields.wrong("sha256", "64 hex digits")
    return Audio(url=fields.text("url"), sha256=digest.lower(), duration_ms=fields.integer("duration_ms"))


def _check_root_and_to(command: Command) -> None:
    if command.root not in ROOTS:
        raise FormatError(f"root is {command.root[:40]!r}, not {' or '.join(ROOTS)}")
    kind, _, name = command.to.partition(":")
    Fields({"to": name or None}).label("to")
    if kind not in {"region", "terminal"}:
        raise FormatError(f"to is {command.to[:60]!r}, not region:<code> or terminal:<id>")


def _check_chain(command: Command) -> None:
    place = (command.message_id, command.chain_id, command.seq)
    if command.verb in CHAINED and None in place:
        raise FormatError(f"{command.verb} needs message_id, chain_id and seq")
    if command.verb not in CHAINED and place != (None, None, None):
        raise FormatError(f"{command.verb} has no message_id, chain_id and seq: they are null")


def _check_needed(command: Command) -> None:
    needed = {
        Verb.PLAY: ("nonce", "issued_at", "expires_at", "ttl_s", "status", "level", "repeat"),
        Verb.STOP: ("nonce", "issued_at", "expires_at", "ttl_s", "status"),
        Verb.TEST: ("nonce", "issued_at", "expires_at", "ttl_s"),
        Verb.VOLUME: ("nonce", "issued_at", "expires_at", "ttl_s", "volume"),
        Verb.ACK: ("boot_id", "n"),
        Verb.TIME: ("boot_id", "at"),
    }[command.verb]
    missing = [name for name in needed if getattr(command, name) is None]
    if missing:
        raise FormatError(f"{command.verb} needs {', '.join(missing)}")
    if command.verb is Verb.PLAY and not command.speech:
        raise FormatError("play needs at least one entry in speech")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a refused command says of itself, unverified: only for naming it in a report."""

    verb: Verb | None
    message_id: str | None
    seq: int | None
    nonce: str | None


def claim_of(compact: str | bytes) -> Claim:
    """Return what an unverified command says of itself; what cannot be read is None."""
    fields = Fields(peek(compact))
    try:
        return Claim(
            verb=fields.word_or_none("verb", Verb),
            message_id=fields.message_id("message_id"),
            seq=fields.integer_or_none("seq", low=1),
            nonce=fields.text_or_none("nonce"),
        )
    except FormatError:
        return Claim(None, None, None, None)
