"""JWS compact serialisation with Ed25519 and nothing else (RFC 7515, RFC 8037), as strict as DESIGN §9 asks.

The header has exactly `alg`, `typ` and `kid`: whatever else one may ask for (`crit`, `jwk`, `b64` …) is refused, not
ignored.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from warnd.model.loudspeaker.fields import DOCUMENT_MAX_BYTES, FormatError, read_object
from warnd.model.loudspeaker.keys import b64url, unb64url
from warnd.model.loudspeaker.refused import Refused, Why

Typ = Literal["warnd-cmd", "warnd-rcpt"]
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_PARTS: Final = 3


def sign(payload: Mapping[str, object], key: Ed25519PrivateKey, *, typ: Typ, kid: str) -> str:
    """Return the compact string.

    Raises:
        ValueError: It would be longer than the 16 KiB that every receiver takes.
    """
    header = _json({"alg": "EdDSA", "typ": typ, "kid": kid})
    signed = f"{b64url(header)}.{b64url(_json(payload))}"
    compact = f"{signed}.{b64url(key.sign(signed.encode('ascii')))}"
    if len(compact) > DOCUMENT_MAX_BYTES:
        raise ValueError(
            f"the signed document has {len(compact)} bytes; receivers take {DOCUMENT_MAX_BYTES}: shorten the texts"
        )
    return compact


def verify(compact: str | bytes, typ: Typ, *, find_key: Callable[[str], bytes | None]) -> tuple[str, dict[str, object]]:
    """Return (kid, payload) of a compact string whose signature holds.

    Args:
        compact: As it came in; anything at all.
        typ: What it must say it is.
        find_key: kid -> raw public key, or None if it is unknown.

    Raises:
        Refused: bad_signature for whatever is no such document, unknown_key; no word for a payload that is not strict
            JSON.
    """
    text = _ascii(compact)
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise Refused(Why.BAD_SIGNATURE, f"{len(parts)} parts, not the {_PARTS} of JWS compact")
    kid = _kid(parts[0], typ)
    key = find_key(kid)
    if key is None:
        raise Refused(Why.UNKNOWN_KEY, f"kid {kid[:40]!r} is not known here")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(unb64url(parts[2]), f"{parts[0]}.{parts[1]}".encode("ascii"))
    except (InvalidSignature, ValueError) as error:
        raise Refused(Why.BAD_SIGNATURE, f"the signature does not fit kid {kid!r}") from error
    try:
        return kid, read_object(unb64url(parts[1]))
    except ValueError as error:
        raise Refused(None, f"payload: {error}") from error


def peek(compact: str | bytes) -> dict[str, object]:
    """Return the payload without checking who wrote it, to name what was refused; empty if it cannot be read."""
    try:
        parts = _ascii(compact).split(".")
        return read_object(unb64url(parts[1])) if len(parts) == _PARTS else {}
    except (Refused, ValueError):
        return {}


def _ascii(compact: str | bytes) -> str:
    if len(compact) > DOCUMENT_MAX_BYTES:
        raise Refused(Why.BAD_SIGNATURE, f"{len(compact)} bytes, more than {DOCUMENT_MAX_BYTES}")
    try:
        return compact.decode("ascii") if isinstance(compact, bytes) else compact.encode("ascii").decode("ascii")
    except UnicodeError as error:
        raise Refused(Why.BAD_SIGNATURE, "not ASCII, so no JWS compact string") from error


def _kid(encoded: str, typ: Typ) -> str:
    try:
        header = read_object(unb64url(encoded))
    except (FormatError, ValueError) as error:
        raise Refused(Why.BAD_SIGNATURE, f"header: {error}") from error
    kid = header.get("kid")
    if header.keys() != _HEADER or header["alg"] != "EdDSA" or header["typ"] != typ or not isinstance(kid, str):
        raise Refused(Why.BAD_SIGNATURE, f'header is not exactly {{"alg":"EdDSA","typ":"{typ}","kid":…}}')
    return kid


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
