"""Signing keys and well-formed commands, as a warning centre would send them; tests change what they are about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.level import Level
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Command,
    Speech,
    Status,
    Trust,
    TrustedKey,
    Verb,
    public_bytes,
    trust_of,
)

NOW: Final = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
VILLAGE: Final = "510181102007"
TERMINAL: Final = "T-0001"


def key(number: int) -> Ed25519PrivateKey:
    """Return one of 256 fixed keys."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


LIVE_KEY: Final = key(1)
DRILL_KEY: Final = key(2)
TERMINAL_KEY: Final = key(3)
STRANGE_KEY: Final = key(4)

TRUST: Final[Trust] = trust_of(
    [
        TrustedKey(public_key=public_bytes(LIVE_KEY), root=LIVE_ROOT, regions=("5101",), not_after=None),
        TrustedKey(public_key=public_bytes(DRILL_KEY), root=DRILL_ROOT, regions=("5101",), not_after=None),
    ]
)

PLAY: Final = Command(
    root=LIVE_ROOT,
    to=f"region:{VILLAGE}",
    verb=Verb.PLAY,
    nonce="nonce-1",
    issued_at=NOW,
    status=Status.ACTUAL,
    message_id="flood-1",
    chain_id="flood-1",
    seq=1,
    level=Level.RED,
    event="洪水",
    area="河边村",
    headline="洪水红色预警",
    speech=(Speech("zh-CN", "洪水红色预警，请立即转移。"), Speech("en", "Red flood warning. Move to high ground now.")),
    repeat=1,
    every_s=None,
    volume=80,
    tone="chime",
    expires_at=NOW + timedelta(hours=2),
    ttl_s=7200,
)

STOP: Final = replace(
    PLAY,
    verb=Verb.STOP,
    nonce="nonce-stop",
    message_id="flood-2",
    seq=2,
    level=None,
    speech=(),
    repeat=None,
    tone=None,
    volume=None,
)

DRILL: Final = replace(
    PLAY, root=DRILL_ROOT, status=Status.EXERCISE, message_id="drill-1", chain_id="drill-1", nonce="nonce-drill"
)


def to_terminal(verb: Verb, *, root: str = LIVE_ROOT, terminal: str = TERMINAL) -> Command:
    """Return the beginning of a test, volume, ack or time command to one terminal; the caller adds what the verb needs."""
    return Command(
        root=root,
        to=f"terminal:{terminal}",
        verb=verb,
        nonce=f"nonce-{verb}",
        issued_at=NOW,
        status=Status.ACTUAL if root == LIVE_ROOT else Status.EXERCISE,
        expires_at=NOW + timedelta(minutes=10),
        ttl_s=600,
    )
