"""Tokens that make a bounce believable: an attempt id with a keyed hash, carried by the envelope sender, ENVID and Message-ID.

Whoever has not seen the mail cannot make one, so a forged bounce neither fails nor delivers anything (RFC 2104; VERP is folklore).
"""

import hmac
import re
from base64 import b32encode
from hashlib import sha256

_MAC_BYTES = 10  # 80 bits, 16 letters: with an attempt id it stays within the 64 characters of a local part (RFC 5321 §4.5.3.1.1).
_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,40})\.([a-z2-7]{16})")
_LOCAL_MAX = 64


class Tokens:
    """Makes and checks the tokens of one secret.

    Args:
        secret: None = tokens are bare attempt ids, and none is ever believed.
    """

    def __init__(self, secret: bytes | None) -> None:
        self._secret = secret

    def token(self, attempt: str) -> str:
        """Return the token of an attempt: letters, digits, "_", "-" and "."."""
        return attempt if self._secret is None else f"{attempt}.{_mac(self._secret, attempt)}"

    def attempt(self, token: str) -> str | None:
        """Return the attempt whose token this is, or None if we did not make it."""
        found = _TOKEN.fullmatch(token)
        if self._secret is None or found is None:
            return None
        return found[1] if hmac.compare_digest(_mac(self._secret, found[1]), found[2]) else None


def verp(bounce_address: str, token: str) -> str:
    """Return the envelope sender of one mail: "bounce+TOKEN@domain"; without the token where it would be too long."""
    local, _, domain = bounce_address.rpartition("@")
    full = f"{local}+{token}"
    return f"{full}@{domain}" if len(full) <= _LOCAL_MAX else bounce_address


def _mac(secret: bytes, attempt: str) -> str:
    # Some servers turn a local part into lower case, so the hash is of that and is written in it.
    whole = hmac.new(secret, f"warnd bounce {attempt.lower()}".encode(), sha256).digest()
    return b32encode(whole[:_MAC_BYTES]).decode().lower()
