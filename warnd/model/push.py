"""Web Push: a browser's subscription as it comes from a stranger, and the key by which push services know us.

Anybody may hand in an address that the daemon will then call, so an address is taken only if it is that of a known push service.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from warnd.model.loudspeaker import KeyFileError

SERVICES = (
    "fcm.googleapis.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)
"""Hosts, and the ends of hosts, of the push services behind Chrome, Firefox, Safari and Edge."""

ENDPOINT_MAX = 1_024
_PLAIN = re.compile(
    r"[!-~]+"
)  # ASCII without blanks and controls, which one reader of addresses drops and another keeps.
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")  # RFC 1035 §2.3.4
_POINT_BYTES = 65  # An uncompressed point of P-256: RFC 8291 §3.1.
_AUTH_BYTES = 16  # RFC 8291 §3.2.


class BadSubscription(ValueError):  # noqa: N818 - the word for what a browser handed in
    """What a browser handed in cannot be used; the text says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where one browser hears, and the keys that only it can read with.

    Attributes:
        endpoint: An address at a push service; whoever knows it may post there.
        p256dh, auth: base64url without padding (RFC 8291).
    """

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def read(cls, given: Any, services: Collection[str]) -> Self:
        """Return what a browser's `PushSubscription.toJSON()` says.

        Args:
            given: Parsed JSON from a stranger.
            services: Hosts, and the ends of hosts, of push services.

        Raises:
            BadSubscription: It is none, or of no service among these.
        """
        keys = given.get("keys") if isinstance(given, dict) else None
        if not isinstance(keys, dict):
            raise BadSubscription("It is no push subscription: it needs endpoint and keys.")
        endpoint = given.get("endpoint")
        if not isinstance(endpoint, str) or not endpoint_allowed(endpoint, services):
            raise BadSubscription("Its endpoint is no address of a push service that is known here.")
        return cls(endpoint, *_keys(keys.get("p256dh"), keys.get("auth")))

    @classmethod
    def parse(cls, address: str) -> Self:
        """Return a subscription from what `address` gave.

        Raises:
            BadSubscription: It is none.
        """
        try:
            kept = json.loads(address)
            endpoint, p256dh, auth = str(kept["endpoint"]), kept["p256dh"], kept["auth"]
        except (ValueError, LookupError, TypeError) as error:
            raise BadSubscription("It is no address of a subscription.") from error
        return cls(endpoint, *_keys(p256dh, auth))

    @property
    def address(self) -> str:
        """The whole as one text, for the ledger."""
        return json.dumps({"auth": self.auth, "endpoint": self.endpoint, "p256dh": self.p256dh})

    @property
    def hash(self) -> str:
        """What tells one browser from another without telling where it is."""
        return endpoint_hash(self.endpoint)


def endpoint_hash(endpoint: str) -> str:
    """Return what a subscription is known by."""
    return hashlib.sha256(endpoint.encode("utf-8", "replace")).hexdigest()[:32]


def endpoint_allowed(endpoint: str, services: Collection[str]) -> bool:
    """Say whether the daemon may post to this address: https on its usual port at one of these services.

    A service that is a loopback address, as in tests, may be reached by http and on any port.
    """
    parts = _split(endpoint)
    if parts is None or "@" in parts.netloc or len(endpoint) > ENDPOINT_MAX or not _PLAIN.fullmatch(endpoint):
        return False
    host = (parts.hostname or "").removesuffix(".")
    if _is_loopback(host):
        return host in services and parts.scheme in {"http", "https"}
    if not _HOST.fullmatch(host):  # Two libraries may read anything else as two hosts.
        return False
    known = any(host == each or host.endswith(f".{each}") for each in services)
    return known and parts.scheme == "https" and _port(parts) in (None, 443)


def load_vapid_key(path: Path) -> EllipticCurvePrivateKey:
    """Return the key by which push services know us (RFC 8292), from an unencrypted PEM file.

    Raises:
        KeyFileError: The file cannot be read, or holds no P-256 key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}). {_MAKE}") from error
    except TypeError as error:
        raise KeyFileError(f"{path}: is encrypted. Store it unencrypted with mode 0600.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: is no PEM private key. {_MAKE}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyFileError(f"{path}: holds no P-256 key. {_MAKE}")
    return key


def application_server_key(key: EllipticCurvePrivateKey) -> str:
    """Return what browsers subscribe with (RFC 8292 §3.2): the public key as base64url."""
    return _text(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


_MAKE = "Make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE"


def _split(endpoint: str) -> SplitResult | None:
    try:
        parts = urlsplit(endpoint)
        _port(parts)
    except ValueError:
        return None
    return parts


def _port(parts: SplitResult) -> int | None:
    return parts.port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys(p256dh: Any, auth: Any) -> tuple[str, str]:
    point, secret = _bytes(p256dh, _POINT_BYTES), _bytes(auth, _AUTH_BYTES)
    if point is None or secret is None or not _is_point(point):
        raise BadSubscription("Its keys are none: p256dh must be a point of P-256 and auth 16 bytes, as base64url.")
    return _text(point), _text(secret)


def _is_point(raw: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        return False
    return True


def _bytes(value: Any, length: int) -> bytes | None:
    if not isinstance(value, str) or len(value) > 2 * length:
        return None
    try:
        raw = base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
