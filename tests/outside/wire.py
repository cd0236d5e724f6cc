"""The loudspeaker protocol's wire, written from its text alone: keys, JWS compact strings, payloads. Nothing of the daemon's."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Payload = dict[str, Any]

LIVE = "warnd/v1"
DRILL = "warnd-drill/v1"


class WireError(Exception):
    """What came is no command or receipt of the protocol."""


def key_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the public key as recipients.csv and trust files have it."""
    return encoded(raw_public(key))


def command_kid(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(raw_public(key)).hexdigest()[:16]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    if "=" in text or "+" in text or "/" in text:
        raise WireError(f"not base64url without padding: {text[:40]}")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise WireError(f"a key stands twice: {names}")
    return dict(pairs)


def whole_numbers_only(text: str) -> int:
    raise WireError(f"integers only, found {text}")


def parsed(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_float=whole_numbers_only)


def signed(
    payload: Mapping[str, Any], key: Ed25519PrivateKey, *, kid: str, typ: str, header: Mapping[str, Any] | None = None
) -> str:
    """Return a JWS compact string; `header` replaces or adds header parameters."""
    head = {"alg": "EdDSA", "typ": typ, "kid": kid, **(header or {})}
    return signed_text(json.dumps(head), json.dumps(payload, ensure_ascii=False), key)


def signed_text(head: str, body: str, key: Ed25519PrivateKey) -> str:
    """Sign header and payload as they are written, good or bad."""
    first = f"{encoded(head.encode())}.{encoded(body.encode())}"
    return f"{first}.{encoded(key.sign(first.encode()))}"


def opened(text: bytes | str, public: Ed25519PublicKey, *, typ: str) -> tuple[Payload, Payload]:
    """Return header and payload of a JWS compact string that keeps to the protocol.

    Raises:
        WireError: It does not.
    """
    raw = text if isinstance(text, bytes) else text.encode()
    if len(raw) > 16 * 1024:
        raise WireError("more than 16 KiB")
    pieces = raw.decode("ascii").split(".")
    if len(pieces) != 3:
        raise WireError("no JWS compact string")
    head, body = parsed(decoded(pieces[0])), parsed(decoded(pieces[1]))
    if head.get("alg") != "EdDSA" or head.get("typ") != typ or {"crit", "jwk"} & head.keys():
        raise WireError(f"header {head}")
    try:
        public.verify(decoded(pieces[2]), f"{pieces[0]}.{pieces[1]}".encode())
    except InvalidSignature as error:
        raise WireError("bad signature") from error
    return head, body


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """Return the moment; the protocol's times are RFC 3339 in UTC."""
    if not text.endswith("Z"):
        raise WireError(f"no UTC time: {text}")
    return datetime.fromisoformat(text)
