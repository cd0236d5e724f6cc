"""Receipts from terminals: their fields, their JSON, their signature (DESIGN §9, §13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.loudspeaker.fields import Fields, FormatError, time_text
from warnd.model.loudspeaker.jws import sign, verify
from warnd.model.loudspeaker.refused import Refused, Why
from warnd.model.loudspeaker.topics import ROOTS, parse_topic


class Stage(StrEnum):
    """What became of a command at the terminal."""

    RECEIVED = "received"
    PLAYING = "playing"
    PLAYED = "played"
    STOPPED = "stopped"
    FAILED = "failed"


class Amplifier(StrEnum):
    """What the terminal knows of its amplifier; `unknown` counts as not at fault (DESIGN §13)."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt.

    Attributes:
        n: Counts from 1 per (terminal, boot_id, root).
        message_id, seq: Of the command; both None for a command outside of any chain, or one that could not be read.
        nonce: Of the command that this answers.
        pass_done: Whole passes of the message so far.
        played_ms: Milliseconds of sound of the message so far, broken passes included.
        volume: 0..100 at that moment; None = not told.
        at: When it happened as the terminal knows the time, aware UTC; late receipts keep it.
    """

    root: str
    terminal: str
    boot_id: str
    n: int
    stage: Stage
    at: datetime
    message_id: str | None = None
    seq: int | None = None
    nonce: str | None = None
    pass_done: int = 0
    played_ms: int = 0
    volume: int | None = None
    amplifier: Amplifier = Amplifier.UNKNOWN
    reason: Why | None = None


def sign_receipt(receipt: Receipt, key: Ed25519PrivateKey) -> str:
    """Return the JWS compact string of `receipt`; its `kid` is the terminal's id.

    Raises:
        ValueError: No daemon could take it: a field is out of range.
    """
    payload = receipt_payload(receipt)
    read_receipt(payload)
    return sign(payload, key, typ="warnd-rcpt", kid=receipt.terminal)


def verify_receipt(compact: str | bytes, topic: str, public_key: bytes) -> Receipt:
    """Return the receipt that arrived on `topic`, signed by the terminal whose topic it is.

    Args:
        compact: As it came in; anything at all.
        topic: Where it came in.
        public_key: The 32 raw bytes registered for the terminal that `topic` names.

    Raises:
        Refused: bad_signature, unknown_key (`kid` is another terminal's), not_for_me (another's topic or root); no word
            if the format is broken.
    """
    place = parse_topic(topic)
    if place is None or place.kind != "receipt":
        raise Refused(Why.NOT_FOR_ME, f"{topic[:120]!r} is no receipt topic")
    _, payload = verify(compact, "warnd-rcpt", find_key=lambda kid: public_key if kid == place.name else None)
    try:
        receipt = read_receipt(payload)
    except FormatError as error:
        raise Refused(None, f"payload: {error}") from error
    if (receipt.root, receipt.terminal) != (place.root, place.name):
        raise Refused(Why.NOT_FOR_ME, f"a receipt of {receipt.terminal!r} under {receipt.root} on {topic!r}")
    return receipt


def receipt_payload(receipt: Receipt) -> dict[str, object]:
    """Return the JSON payload, every key of the contract present."""
    return {
        "v": 1,
        "root": receipt.root,
        "terminal": receipt.terminal,
        "boot_id": receipt.boot_id,
        "n": receipt.n,
        "message_id": receipt.message_id,
        "seq": receipt.seq,
        "nonce": receipt.nonce,
        "stage": receipt.stage.value,
        "pass_done": receipt.pass_done,
        "played_ms": receipt.played_ms,
        "volume": receipt.volume,
        "amplifier": receipt.amplifier.value,
        "reason": None if receipt.reason is None else receipt.reason.value,
        "at": time_text(receipt.at),
    }


def read_receipt(payload: Mapping[str, object]) -> Receipt:
    """Return the receipt in a payload.

    Raises:
        FormatError: A field is missing, of the wrong type or out of range.
    """
    fields = Fields(payload)
    fields.integer("v", low=1, high=1)
    root = fields.text("root")
    if root not in ROOTS:
        raise FormatError(f"root is {root[:40]!r}, not {' or '.join(ROOTS)}")
    return Receipt(
        root=root,
        terminal=fields.label("terminal"),
        boot_id=fields.label("boot_id"),
        n=fields.integer("n", low=1),
        message_id=fields.message_id("message_id"),
        seq=fields.integer_or_none("seq", low=1),
        nonce=fields.text_or_none("nonce"),
        stage=fields.word("stage", Stage),
        pass_done=fields.integer_or_none("pass_done") or 0,
        played_ms=fields.integer_or_none("played_ms") or 0,
        volume=fields.integer_or_none("volume", high=100),
        amplifier=fields.word("amplifier", Amplifier),
        reason=fields.word_or_none("reason", Why),
        at=fields.time("at"),
    )
