"""One loudspeaker of a fleet: the real wire protocol, signatures, numbered receipts, resends and back-off; no sound and no disk.

What it must never do is be kinder than a real one: it keeps a receipt until the daemon confirms it, and reconnects by the same rule as
`warnd.terminal.link`.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fleet import wire
from warnd.clock import Clock
from warnd.model.loudspeaker import (
    LIVE_ROOT,
    Amplifier,
    ClockState,
    Command,
    Lineage,
    Receipt,
    Refused,
    Stage,
    TerminalState,
    Trust,
    Verb,
    command_filters,
    receipt_topic,
    sign_receipt,
    state_text,
    state_topic,
    verify_command,
)
from warnd.terminal.link import (
    BACKOFF_BASE_S,
    BACKOFF_MAX_S,
    KEEPALIVE_S,
    RECEIPT_LIFE_S,
    REPEAT_LIFE_S,
    SESSION_S,
    WILL_DELAY_S,
)
from warnd.terminal.outbox import RESEND_S

CONNECT_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What all loudspeakers of one fleet share.

    Attributes:
        tasks: Owns the connecting.
        pass_s: How long a whole pass takes.
        heartbeat_s: Seconds between two states.
    """

    host: str
    port: int
    trust: Trust
    clock: Clock
    chance: random.Random
    tasks: asyncio.TaskGroup
    pass_s: float
    heartbeat_s: int = 30


class Speaker:
    """One loudspeaker; nothing in it waits, all is called back by the event loop.

    Attributes:
        online: It is connected and subscribed.
        heard: Ids of the warnings that it took.
        outbox: n -> signed receipt that the daemon has not confirmed.
        said: How many receipts it has made.
        connections: How many times it got to the broker.
        refused: What it refused, for a test to be told.
    """

    def __init__(self, fleet: Fleet, *, terminal: str, region: str, key: Ed25519PrivateKey, password: str) -> None:
        self.terminal = terminal
        self.online = False
        self.heard: set[str] = set()
        self.outbox: dict[int, bytes] = {}
        self.said = 0
        self.connections = 0
        self.refused: list[str] = []
        self.boot_id = f"{fleet.chance.getrandbits(128):032x}"
        self._fleet = fleet
        self._lineage = Lineage.parse(region)
        self._key = key
        self._password = password
        self._last_sent: dict[int, float] = {}
        self._known: dict[str, int] = {}
        self._answers: dict[str, dict[int, bytes]] = {}  # Message -> what it was told about it, confirmed or not.
        self._failures = 0
        self._ended = False
        self._packet_id = 0
        self._wire: _Wire | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def start(self, *, within_s: float) -> None:
        """Connect at a random moment of the next `within_s` seconds and stay connected."""
        self._later("connect", self._fleet.chance.uniform(0, within_s), self._connect)

    def end(self) -> None:
        """Say goodbye for good."""
        self._ended = True
        for timer in self._timers.values():
            timer.cancel()
        if self._wire is not None:
            if self.online:
                self._publish(state_topic(LIVE_ROOT, self.terminal), self._state(online=False), retain=True)
                self._wire.write(wire.disconnect())
            self._wire.close()

    # The connection.

    def _later(self, name: str, delay_s: float, act: Callable[[], None]) -> None:
        old = self._timers.pop(name, None)
        if old is not None:
            old.cancel()
        self._timers[name] = self._loop.call_later(delay_s, act)

    def _connect(self) -> None:
        self._wire = _Wire(self)
        self._fleet.tasks.create_task(self._open(self._wire), name=f"connect {self.terminal}")

    async def _open(self, opened: "_Wire") -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._loop.create_connection(lambda: opened, self._fleet.host, self._fleet.port)
        except (OSError, TimeoutError):
            self.lost(opened)

    def opened(self) -> None:
        """The socket is there: introduce ourselves."""
        assert self._wire is not None
        will = wire.Will(state_topic(LIVE_ROOT, self.terminal), self._state(online=False), WILL_DELAY_S)
        self._wire.write(
            wire.connect(
                self.terminal,
                user=self.terminal,
                password=self._password,
                keepalive_s=KEEPALIVE_S,
                session_s=SESSION_S,
                will=will,
            )
        )
        self._later("silence", CONNECT_TIMEOUT_S, self._give_up)

    def lost(self, which: "_Wire") -> None:
        """The connection is gone, or never came: try again by the rule of the real terminal."""
        if which is not self._wire or self._ended:
            return
        self._wire = None
        self.online = False
        for name in ("silence", "beat", "resend"):
            if name in self._timers:
                self._timers.pop(name).cancel()
        self._failures += 1
        longest = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**self._failures)
        self._later("connect", self._fleet.chance.uniform(BACKOFF_BASE_S / 2, longest), self._connect)

    def _give_up(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def arrived(self, kind: int, flags: int, body: bytes) -> None:
        """Take one packet."""
        match kind:
            case wire.CONNACK if not any(wire.reason_codes(kind, body)):
                assert self._wire is not None
                filters = command_filters(LIVE_ROOT, self._lineage, self.terminal)
                self._wire.write(wire.subscribe(self._next_id(), filters))
            case wire.SUBACK:
                self._subscribed(wire.reason_codes(kind, body))
            case wire.PUBLISH:
                self._take(wire.published(flags, body))
            case wire.CONNACK | wire.DISCONNECT:
                self.refused.append(f"broker: {wire.reason_codes(kind, body).hex()}")
                self._give_up()

    def _subscribed(self, codes: bytes) -> None:
        self.refused += [f"subscription: {code:#04x}" for code in codes if code >= 0x80]
        self._timers.pop("silence").cancel()
        self.online = True
        self.connections += 1
        self._later("calm", BACKOFF_MAX_S, self._calm)
        self._beat()
        self._last_sent.clear()
        self._resend()

    def _calm(self) -> None:
        self._failures = 0

    def _beat(self) -> None:
        self._publish(state_topic(LIVE_ROOT, self.terminal), self._state(online=True), retain=True)
        self._later("beat", self._fleet.heartbeat_s, self._beat)

    def _state(self, *, online: bool) -> bytes:
        state = TerminalState(
            terminal=self.terminal,
            online=online,
            boot_id=self.boot_id,
            heartbeat_s=self._fleet.heartbeat_s,
            amplifier=Amplifier.OK,
            clock=ClockState.SYNCED,
            at=self._now(),
        )
        return state_text(state).encode()

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        if self._wire is not None:
            self._wire.write(wire.publish(topic, payload, self._next_id(), retain=retain, expiry_s=expiry_s))

    def _now(self) -> datetime:
        return self._fleet.clock.now().astimezone(UTC)

    # Commands and receipts.

    def _take(self, came: wire.Published) -> None:
        try:
            command = verify_command(came.payload, self._fleet.trust)
        except Refused as refused:
            self.refused.append(str(refused))
        else:
            self._obey(command)
        if came.packet_id and self._wire is not None:
            self._wire.write(wire.puback(came.packet_id))

    def _obey(self, command: Command) -> None:
        match command.verb:
            case Verb.ACK:
                if command.boot_id == self.boot_id:
                    self._confirmed(command.n or 0)
            case Verb.PLAY | Verb.STOP:
                self._chained(command)

    def _confirmed(self, n: int) -> None:
        for known in [number for number in self.outbox if number <= n]:
            del self.outbox[known]

    def _chained(self, command: Command) -> None:
        assert command.message_id is not None
        assert command.chain_id is not None
        assert command.seq is not None
        known = self._known.get(command.chain_id, 0)
        if command.seq <= known:
            if command.seq == known:  # DESIGN §9: it sends its receipts again.
                self._send(self._answers[command.message_id])
            return
        self._known[command.chain_id] = command.seq
        self._answers[command.message_id] = {}
        self.heard.add(command.message_id)
        self._tell(command, Stage.RECEIVED)
        if command.verb is Verb.STOP:
            self._tell(command, Stage.STOPPED)
            return
        self._tell(command, Stage.PLAYING)
        self._later(f"played {command.message_id}", self._fleet.pass_s, lambda: self._tell(command, Stage.PLAYED))

    def _tell(self, command: Command, stage: Stage) -> None:
        self.said += 1
        whole = stage is Stage.PLAYED
        receipt = Receipt(
            root=command.root,
            terminal=self.terminal,
            boot_id=self.boot_id,
            n=self.said,
            stage=stage,
            at=self._now(),
            message_id=command.message_id,
            seq=command.seq,
            nonce=command.nonce,
            pass_done=int(whole),
            played_ms=int(self._fleet.pass_s * 1000) if whole else 0,
            volume=80,
            amplifier=Amplifier.OK,
        )
        compact = sign_receipt(receipt, self._key).encode()
        self._answers[str(command.message_id)][receipt.n] = self.outbox[receipt.n] = compact
        if self.online:
            self._send({receipt.n: compact})

    def _resend(self) -> None:
        """Send whatever the daemon has not confirmed and was not sent in the last half minute."""
        late = self._loop.time() - RESEND_S
        self._send({n: compact for n, compact in self.outbox.items() if self._last_sent.get(n, late) <= late})
        self._later("resend", RESEND_S / 10, self._resend)

    def _send(self, receipts: dict[int, bytes]) -> None:
        for n, compact in receipts.items():
            life_s = REPEAT_LIFE_S if n in self._last_sent else RECEIPT_LIFE_S
            self._last_sent[n] = self._loop.time()
            self._publish(receipt_topic(LIVE_ROOT, self.terminal), compact, expiry_s=life_s)


class _Wire(asyncio.Protocol):
    """One connection of one loudspeaker."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._packets = wire.Packets()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to talk."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._speaker.opened()

    def data_received(self, data: bytes) -> None:
        """Hand packets on."""
        for kind, flags, body in self._packets.feed(data):
            self._speaker.arrived(kind, flags, body)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol gives it
        """Tell the loudspeaker; why it was lost changes nothing for it."""
        self._speaker.lost(self)

    def write(self, packet: bytes) -> None:
        """Send a packet."""
        if self._transport is not None:
            self._transport.write(packet)

    def close(self) -> None:
        """Close, whatever has been written first."""
        if self._transport is not None:
            self._transport.close()
