"""Answer links: `<public_url>/a/<token>`, by which one recipient says "I have read it" about one attempt.

A token is the attempt's id and a MAC over it (HMAC-SHA-256 cut to 128 bits, RFC 2104 §5): whoever has it was sent it, and nobody finds
another one by counting. It carries no name and no address.
"""

import base64
import hashlib
import hmac

LINKED = frozenset({"email", "apprise"})
"""Channels whose medium has links: their recipients answer by one, all others by a reply."""

KEY_BYTES = 32
_MAC_BYTES = 16
_LONGEST = 128
_PURPOSE = b"warnd answer link v1\0"


def token(key: bytes, attempt: str) -> str:
    """Return the token of an attempt id; `key` is the store's own, `KEY_BYTES` long."""
    return f"{attempt}.{_mac(key, attempt)}"


def attempt_of(key: bytes, given: str) -> str | None:
    """Return the attempt id of a token, or None if it is none of ours; how long that takes does not tell how wrong it is."""
    attempt, _, mac = given[:_LONGEST].rpartition(".")
    sound = hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(key, attempt).encode())
    return attempt if sound and len(given) <= _LONGEST else None


def _mac(key: bytes, attempt: str) -> str:
    digest = hmac.digest(key, _PURPOSE + attempt.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).rstrip(b"=").decode()
