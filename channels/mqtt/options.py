"""What the channel must be told about its broker, and nothing that a message or a plan decides."""

import re
import ssl
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.model.loudspeaker import receipt_topic, state_topic

SESSION_EXPIRY_S = 7 * 24 * 3600  # The broker keeps receipts for us through a long outage of ours; a day is the least.
SHARED_SESSION_EXPIRY_S = (
    3600  # One of several workers: a session gets its share of what comes even while nobody is there to take it.
)
TCP_CONNECT_MAX_S = 5.0  # A thread waits here and cannot be cancelled; the daemon must be able to end within 10 s.
_UNFIT = re.compile(r"[/+#]")  # For a share's name.
KEEPALIVE_S = 15  # Twice this is the longest that a silent break of the line stays unseen while nothing is published.


@dataclass(frozen=True, slots=True)
class LineOptions:
    """One broker account under one root.

    Attributes:
        root: `LIVE_ROOT` or `DRILL_ROOT` (DESIGN §9).
        tls: None = plain TCP.
        client_id: The same at every start, or the broker forgets what it keeps for us; with `worker` it begins each worker's own.
        signing_key: Signs every command under this root, and no other root's.
        window: Publishes that may be without their PUBACK at once; the broker's own limit wins if it is lower.
        timeout_s: Longest wait for each answer of the broker. A publish that is older without a PUBACK ends the
            connection, because whatever is still written to it could arrive after it was reported as lost.
        retry_base_s, retry_cap_s: Bounds of the wait between connections, doubled from base to cap, with full jitter.
        sink_timeout_s: Longest wait for the ledger to commit one receipt before it is tried again.
        session_expiry_s: How long the broker keeps what comes for us while we are away.
        worker: Which of several workers of a store this is: they share what comes in, each word going to one of them; None = all is ours.
    """

    root: str
    host: str
    port: int
    client_id: str
    signing_key: Ed25519PrivateKey = field(repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    window: int = 64
    timeout_s: float = 10.0
    retry_base_s: float = 1.0
    retry_cap_s: float = 30.0
    sink_timeout_s: float = 30.0
    session_expiry_s: int = SESSION_EXPIRY_S
    worker: str | None = None

    @property
    def where(self) -> str:
        """The broker's address, for messages to people."""
        return f"{self.host}:{self.port}"

    @property
    def identity(self) -> str:
        """The client id of the connection."""
        return self.client_id if self.worker is None else f"{self.client_id}-{self.worker}"

    @property
    def states(self) -> str:
        """The topic of all terminals' states."""
        return state_topic(self.root, "+")

    @property
    def heard(self) -> tuple[str, str]:
        """What is subscribed to: receipts and states of all terminals, or this worker's share of them (MQTT 5.0 §4.8.2)."""
        told = receipt_topic(self.root, "+"), self.states
        if self.worker is None:
            return told
        group = _UNFIT.sub("-", self.client_id)
        return f"$share/{group}/{told[0]}", f"$share/{group}/{told[1]}"


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """The live account, and the one for drills if there is one."""

    live: LineOptions
    drill: LineOptions | None = None
