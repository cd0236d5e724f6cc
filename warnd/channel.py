"""What a channel is: the protocol and its outcome types, nothing else.

A channel carries prepared texts to addresses and brings receipts back. It never decides who hears what, never retries by itself, never
reads the ledger. Every network wait inside it is bounded, and a failure is a value: nothing is raised out of `send`.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from starlette.routing import BaseRoute

from warnd.clock import Clock
from warnd.model.evidence import Evidence
from warnd.model.level import Level

Kind = Literal["warning", "cancel", "notice"]

ANSWER_LINK = "https://answer.invalid/"
"""Stands in a text where each reader's own `Outgoing.answer_url` belongs, so that bodies can be built once for all.

It leads nowhere (RFC 2606 §2).
"""


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording that says a text, kept by the daemon until the message ends.

    Attributes:
        url: Where terminals fetch it; https or http.
        sha256: Of its bytes, lower-case hex.
        duration_ms: 1 or more.
    """

    url: str
    sha256: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Text:
    """One rendered text.

    Attributes:
        lang: BCP 47 tag of the language it is written in.
        subject: Subject line for channels that have one, else empty.
        text: The whole text, tail and marks included.
        segments: SMS parts it costs; 1 for channels that do not count.
        html: The same as a whole HTML document, for channels that carry one, else empty.
        audio: For loudspeakers: a recording that says it, or None.
    """

    lang: str
    text: str
    subject: str = ""
    segments: int = 1
    html: str = ""
    audio: Audio | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is said, the same for all who are told: a snapshot, so that no channel looks anything up.

    Attributes:
        seq: The message's place in its chain; the Alert is 1 (DESIGN §9).
        drill: True for Exercise and Test: other roots, keys and marks.
        verb: What a loudspeaker does: "play" for warnings, "stop" for a Cancel.
        repeat: Whole passes of a loudspeaker per round, 1 or more.
        every_s: Seconds between the starts of two rounds until expiry; None = one round.
        hours: Local hours ("06:00", "22:00") outside of which loudspeakers stay silent for this level; None = always.
        document: The CAP 1.2 document as warnd writes it.
    """

    id: str
    chain_id: str
    seq: int
    kind: Kind
    drill: bool
    status: str
    level: Level | None
    event: str
    headline: str
    area: str
    issued_at: datetime
    expires_at: datetime
    verb: Literal["play", "stop"] = "play"
    repeat: int = 1
    every_s: int | None = None
    volume: int = 80
    hours: tuple[str, str] | None = None
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One try: this message to this address.

    Attributes:
        attempt: Our attempt id; unique for ever, safe as a file name and in an address.
        recipient: The recipient's id; None for a publication.
        address: Phone number, mail address, or for loudspeakers "region:<code>" and "terminal:<id>"; for the web "site".
        texts: At least one. Loudspeakers get one per language, in speaking order.
        regions: For loudspeakers: the region codes (as stored) that shall play; None = everybody who reads the topic.
        repeated: An earlier try may have arrived; the texts already say so.
        answer_url: Where this one recipient says "I have read it"; None where no answer is asked for or the channel carries no links.
            The texts do not contain it: a channel puts it where its medium has links, so that bodies can be built once for all;
            texts for mail have `ANSWER_LINK` in its place.
        start_by: On the clock's monotonic scale: no network call for this try begins later than this. A try that cannot start in time
            is answered `NOT_STARTED`.
        sender: Which of a channel's `Sender`s has to carry it; None = the channel decides.
    """

    attempt: str
    message: Message
    recipient: str | None
    address: str
    texts: tuple[Text, ...]
    regions: tuple[str, ...] | None = None
    repeated: bool = False
    answer_url: str | None = None
    start_by: float = float("inf")
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. Proves nothing about the recipient.

    Attributes:
        reference: The provider's own id for it, unique within the channel; reports may come with it alone.
        segments: SMS parts that the provider counted, if it tells; else ours count.
    """

    reference: str | None = None
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not leave, for a known reason.

    Attributes:
        reason: A short stable word for reports, with the provider's code ("21610 unsubscribed").
        retry: "permanent" never again on this leg; "transient" backs off; "throttled" waits `retry_after_s` and counts no failure.
        retry_after_s: What the provider asked for; wins over our own back-off.
        gone: The address itself exists no more, for any message: a subscription is dropped. Only with "permanent".
    """

    reason: str
    retry: Literal["permanent", "transient", "throttled"] = "transient"
    retry_after_s: float | None = None
    gone: bool = False


NOT_STARTED = Failed("not_started", retry="throttled", retry_after_s=0.0)
"""The answer for a try whose `start_by` passed in the queue: nobody's failure, so it is simply due again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have left: wait for a receipt or ask the provider before trying again."""

    reason: str


Outcome = Accepted | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Report:
    """A provider's word about one of our attempts: a delivery report, bounce or look-up.

    Attributes:
        attempt: Our attempt id; None where the provider gives back only its own reference.
        reference: The reference of `Accepted`, needed where `attempt` is None. The report may come before that outcome is recorded.
        address: The address it is about, as in `Outgoing.address`: needed where one reference stands for a whole batch.
        evidence: What it proves; NONE for a negative report.
        failed: True when it says that this part did not arrive.
        permanent: Only with `failed`: the address is at fault, so that another try of the same would fail alike.
        part, parts: 1-based; both None = the whole message.
        at: When it happened as the provider tells it, aware UTC; None = not told.
        raw: What came in, for the record; small, without secrets.
    """

    channel: str
    attempt: str | None
    evidence: Evidence
    failed: bool = False
    part: int | None = None
    parts: int | None = None
    reason: str | None = None
    at: datetime | None = None
    raw: str = ""
    reference: str | None = None
    address: str | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's answer from an address; what it answers is decided by the open messages there."""

    channel: str
    address: str
    text: str
    at: datetime | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Playback:
    """A loudspeaker's receipt whose signature was verified. Fields as in DESIGN §9."""

    channel: str
    drill: bool
    terminal: str
    boot_id: str
    n: int
    message_id: str | None
    seq: int | None
    stage: Literal["received", "playing", "played", "stopped", "failed"]
    pass_done: int
    played_ms: int
    amplifier: Literal["ok", "fault", "unknown"]
    reason: str | None
    at: datetime | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """A loudspeaker's unsigned word about itself, or its will. It can only lower trust."""

    channel: str
    drill: bool
    terminal: str
    online: bool
    boot_id: str | None
    heartbeat_s: int | None
    clock: Literal["synced", "unsynced"] | None
    amplifier: Literal["ok", "fault", "unknown"] | None
    volume: int | None
    at: datetime | None
    raw: str = ""


Receipt = Report | Reply | Playback | Presence


class ReceiptSink(Protocol):
    """Where receipts go. It returns after the commit, so that only then the provider hears that we have it."""

    async def __call__(self, receipt: Receipt) -> int | None:
        """Commit one receipt.

        Returns:
            For a `Playback`, the highest n such that receipts 1..n of this terminal, boot and root are committed; else None.

        Raises:
            Exception: The ledger could not commit; the channel must not confirm the receipt to its provider.
        """
        ...


class Channel(Protocol):
    """One way to reach people or places.

    Attributes:
        name: As in plans and in the ledger ("sms").
        strongest: What this channel can ever prove.
    """

    name: str
    strongest: Evidence

    def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send a batch; yield (index in batch, outcome) for each as it comes, in any order, exactly once each."""
        ...

    async def run(self, sink: ReceiptSink) -> None:
        """Hold connections and bring receipts to `sink` until cancelled; survive every failure of the other side."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Return the channel's callback endpoints, mounted by the daemon."""
        ...

    def problem(self) -> str | None:
        """Return in one sentence why nothing can leave on this channel right now and what to do, or None."""
        ...


@runtime_checkable
class Degradable(Protocol):
    """An optional face of a channel on which everything can leave though a part of it is in trouble."""

    def degraded(self) -> str | None:
        """Return in one sentence what does not work, what that costs and what to do; None when all is well or `problem` tells."""
        ...


@runtime_checkable
class Finder(Protocol):
    """An optional face of a channel whose provider can be asked what became of an attempt."""

    async def find(self, attempt: str) -> Outcome:
        """Say what became of an attempt whose outcome is unknown; `Unknown` when the provider cannot tell either."""
        ...


@runtime_checkable
class Heir(Protocol):
    """An optional face of a channel whose provider keeps something for each of several workers that share a store."""

    async def take_over(self, worker: str) -> None:
        """Take what is kept for a worker that is gone; whatever goes wrong there is told to the log."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a provider showed, for a person.

    Attributes:
        about: What was tried, in a few words ("twilio account", "broker 127.0.0.1:8883").
        wrong: What is wrong and what to do about it; None = it works.
        told: What it said of itself, where it works ("account is active").
    """

    about: str
    wrong: str | None = None
    told: str = ""


@runtime_checkable
class Prober(Protocol):
    """An optional face of a channel: tries its provider for real without alarming anyone. Works before and without `run`."""

    async def probe(self) -> Sequence[Finding]:
        """Try each provider, link and account; every wait is bounded, nothing is raised for what the other side does."""
        ...


@dataclass(frozen=True, slots=True)
class Sender:
    """One of several ways by which a channel can reach the same people: a gateway, an account or a relay of its own.

    Attributes:
        name: As the settings call it; what attempts and reports show.
        weight: Its share beside the others; 0 = it carries only what none with a weight can.
        rate_per_s: Segments per second that it may get; None = as many as the channel may.
        concurrency: Its tries under way at once in one worker; None = as many as the channel's.
    """

    name: str
    weight: int = 1
    rate_per_s: float | None = None
    concurrency: int | None = None


@runtime_checkable
class Sendered(Protocol):
    """An optional face of a channel with senders: the daemon chooses one for each try, and rests one that fails.

    For that a transient failure must mean that the *sender* is in trouble, never the address.
    """

    def senders(self) -> Sequence[Sender]:
        """Return them, the same ones in the same order for as long as the daemon runs; at least one."""
        ...

    def trouble(self, sender: str) -> str | None:
        """Return in one sentence why nothing can leave by this sender right now and what to do, or None."""
        ...

    async def find_at(self, sender: str, attempt: str) -> Outcome:
        """Ask the sender that had an attempt what became of it; see `Finder.find`."""
        ...


@runtime_checkable
class Beacon(Protocol):
    """An optional face of a channel over which the daemon can show that it lives."""

    async def beat(self, topic: str, payload: bytes) -> str | None:
        """Publish once, kept for nobody; return in a few words why it did not leave, or None. Bounded."""
        ...


@runtime_checkable
class Publisher(Protocol):
    """An optional face of a channel that tells the public as a whole: one publication per target and public message."""

    def targets(self) -> Sequence[str]:
        """Return the addresses that every public message goes to ("site"), stable over restarts."""
        ...


def _nobody_cares(_channel: str, _drill: bool) -> None:  # noqa: FBT001 - called by position, like every callback here
    """Stand in where nothing is kept by providers."""


async def _no_others(_terminal: str) -> Sequence[bytes]:
    """Stand in where keys are not rotated."""
    return ()


@dataclass(frozen=True, slots=True)
class Context:
    """What the composition root hands to every channel it builds.

    Attributes:
        terminal_key: Looks up a terminal's raw 32-byte Ed25519 public key; None = unknown terminal.
        announce: Called with a message id when the public site must show it now.
        forgotten: Called with (channel's name, drill) after a connection to a provider that has forgotten what it kept for
            us, so that open publications must go out again. Must return at once.
        older_keys: Looks up a terminal's keys that were rotated away and are still believed.
    """

    clock: Clock
    random: random.Random
    terminal_key: Callable[[str], Awaitable[bytes | None]]
    announce: Callable[[str], None]
    forgotten: Callable[[str, bool], None] = _nobody_cares
    older_keys: Callable[[str], Awaitable[Sequence[bytes]]] = _no_others
