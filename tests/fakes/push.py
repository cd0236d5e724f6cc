"""The other side of the push channel: a push service on loopback, and browsers that decrypt what it took with their own keys."""

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.contract.harness import Harness, OtherSide
from tests.fakes.posted_to import PostedTo
from tests.fakes.receiver import Receiver, Taken, receiver
from warnd.channel import Message, Outgoing, Text
from warnd.model.push import Subscription

CONTACT = "mailto:it@county.example"


def harness() -> Harness:
    """Return the harness of this channel."""
    return _PushHarness()


class _PushHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    async with receiver() as taking:
        yield PushServiceSide(taking, folder)


@dataclass
class Browser:
    """One browser's subscription and its private half."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def subscription(self) -> Subscription:
        """As the ledger keeps it."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription(self.endpoint, _text(point), _text(self.secret))

    @property
    def document(self) -> dict[str, object]:
        """As `PushSubscription.toJSON()` gives it."""
        told = self.subscription
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": told.p256dh, "auth": told.auth},
        }

    def read(self, taken: Taken) -> dict[str, str]:
        """Decrypt what the push service handed over."""
        words = http_ece.decrypt(taken.body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        said = json.loads(words)
        assert isinstance(said, dict)
        return said


def write_vapid_key(path: Path) -> None:
    """Write a key as the documented command makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def push_toml(folder: Path, *, service: str = "127.0.0.1") -> str:
    """Return the section that switches the channel on, with its key in `folder`."""
    write_vapid_key(folder / "vapid.pem")
    return f"""
[push]
vapid_key_file = "vapid.pem"
contact = "{CONTACT}"
services = ["{service}"]
timeout_s = 1
"""


class PushServiceSide(PostedTo):
    """See `OtherSide`."""

    drills = False
    takes = 201

    def __init__(self, taking: Receiver, folder: Path) -> None:
        super().__init__(taking)
        self.toml = push_toml(folder)
        self._browsers: dict[str, Browser] = {}

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Notify a browser of its own for each attempt."""
        path = f"/browser/{len(self._browsers)}"
        browser = self._browsers[path] = Browser(f"{self._taking.url}{path}")
        text = Text("en", "Go to high ground now.", subject="RED flood warning")
        return Outgoing(attempt, message, None, browser.subscription.address, (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Return the ids in what browsers could read."""
        if drill:
            return ()
        said = [self._browsers[one.path].read(one) for one in self._taking.taken]
        return tuple(each["url"].removeprefix("/w/") for each in said)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
