"""One connection to a broker, kept up for ever: commands in, receipts and state out (DESIGN §9).

It carries bytes between the broker and the core and decides nothing. A command is acknowledged to the broker only when the core has it on
disk. Every connection has a new client: a used one would send again what it reported as failed.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from warnd import cancellation
from warnd.clock import Clock
from warnd.model.loudspeaker import TerminalState, command_filters, receipt_topic, state_text, state_topic
from warnd.terminal.changes import Changes, wait_or_sleep
from warnd.terminal.core import Arrival, Core
from warnd.terminal.identity import Identity
from warnd.terminal.outbox import RESEND_S, Kept, Outbox

CALL_TIMEOUT_S: Final = 10.0
GOODBYE_TIMEOUT_S: Final = 2.0
BACKOFF_BASE_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
KEEPALIVE_S: Final = 30
SESSION_S: Final = 3 * 24 * 3600  # Longer than any night; some brokers allow no more.
WILL_DELAY_S: Final = 2  # A terminal that comes straight back was never away.
RECEIPT_LIFE_S: Final = 24 * 3600
REPEAT_LIFE_S: Final = 2 * int(RESEND_S)  # A daemon that is away for a day must not find a copy for every half minute.

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a broker.

    Attributes:
        tls: Encrypt, and check the broker's certificate against `ca_file`, or the machine's authorities where it is None.
        cert_file, key_file: What the terminal shows where the broker asks for a certificate; both or neither.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Return how to encrypt; None = not at all.

        Raises:
            OSError: A file cannot be read, or the key is not the certificate's.
        """
        if not self.tls:
            return None
        made = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            made.load_cert_chain(self.cert_file, self.key_file, password="")  # Without one it would ask at a keyboard.
        return made


class Link:
    """One broker's share of a terminal.

    Args:
        client_id: Unique at the broker; the session that waits for a sleeping terminal hangs on it.
        roots: Served on this connection; the will speaks for the first.
        state: Returns what the terminal says of itself now.
    """

    def __init__(
        self,
        access: Access,
        *,
        client_id: str,
        roots: tuple[str, ...],
        identity: Identity,
        core: Core,
        outbox: Outbox,
        changes: Changes,
        state: Callable[[], TerminalState],
        heartbeat_s: int,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._access = access
        self._client_id = client_id
        self._roots = roots
        self._identity = identity
        self._core = core
        self._outbox = outbox
        self._changes = changes
        self._state = state
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._chance = chance

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            since = self._clock.monotonic()
            # A task for each: its count of cancellations begins at nought, which `_heed_cancellation` needs, and a connection that breaks
            # while it is closed cannot hide that this one is to end.
            async with asyncio.TaskGroup() as one:
                one.create_task(self._connection(), name="connection")
            failures = 0 if self._clock.monotonic() - since > BACKOFF_MAX_S else failures + 1
            longest = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**failures)
            await self._clock.sleep(self._chance.uniform(BACKOFF_BASE_S / 2, longest))

    async def _connection(self) -> None:
        try:
            await self._session()
        except* (aiomqtt.MqttError, OSError) as group:
            _log.warning(
                "broker_lost",
                host=self._access.host,
                port=self._access.port,
                cause=str(_first(group)),
                fix="it tries again by itself; see docs/terminals.md for what the cause means",
            )

    async def _session(self) -> None:
        async with self._client() as client:
            for root in self._roots:
                await self._subscribe(client, root)
            self._outbox.all_again(self._roots)
            _log.info("broker_reached", host=self._access.host, port=self._access.port)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(client), name="listen")
                    group.create_task(self._send_receipts(client), name="receipts")
                    group.create_task(self._send_state(client), name="state")
            except asyncio.CancelledError:
                await self._say_goodbye(client)
                raise

    def _client(self) -> aiomqtt.Client:
        session = _properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = SESSION_S
        will = _properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = WILL_DELAY_S
        client = aiomqtt.Client(
            self._access.host,
            self._access.port,
            username=self._access.username,
            password=self._access.password,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=session,
            keepalive=KEEPALIVE_S,
            timeout=CALL_TIMEOUT_S,
            will=aiomqtt.Will(
                state_topic(self._roots[0], self._identity.terminal),
                state_text(replace(self._state(), online=False)),
                qos=1,
                retain=True,
                properties=will,
            ),
            tls_context=self._access.context(),
        )
        client._client.manual_ack_set(True)  # noqa: SLF001 - aiomqtt does not offer it, and a crash must not lose a command
        return client

    async def _subscribe(self, client: aiomqtt.Client, root: str) -> None:
        for topic in command_filters(root, self._identity.lineage, self._identity.terminal):
            codes = await client.subscribe(topic, qos=1)
            cancellation.heed()
            refused = [code for code in codes if not isinstance(code, int) and code.is_failure]
            if refused:
                _log.error(
                    "subscription_refused", topic=topic, cause=str(refused[0]), fix="allow it in the broker's ACL"
                )

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
            self._core.arrive(Arrival(str(message.topic), message.payload, retained=message.retain, expiry_s=expiry_s))
            client._client.ack(message.mid, message.qos)  # noqa: SLF001 - the other half of manual_ack_set

    async def _send_receipts(self, client: aiomqtt.Client) -> None:
        while True:
            change = self._changes.next()
            for kept in self._outbox.due(self._roots, self._clock.monotonic()):
                await self._send(client, kept)
            due = self._outbox.next_due(self._roots)
            wait_s = RESEND_S if due is None else max(0.0, due - self._clock.monotonic())
            await wait_or_sleep(change, self._clock, wait_s)

    async def _send(self, client: aiomqtt.Client, kept: Kept) -> None:
        expiry = _properties(PacketTypes.PUBLISH)
        expiry.MessageExpiryInterval = REPEAT_LIFE_S if kept.sent else RECEIPT_LIFE_S
        topic = receipt_topic(kept.receipt.root, self._identity.terminal)
        await client.publish(topic, kept.compact, qos=1, properties=expiry)
        cancellation.heed()
        self._outbox.sent(kept, self._clock.monotonic())

    async def _send_state(self, client: aiomqtt.Client) -> None:
        while True:
            shown = self._state()
            await self._publish_state(client, shown)
            cancellation.heed()
            beat = self._clock.monotonic() + self._heartbeat_s
            change = self._changes.next()
            while _alike(self._state(), shown) and self._clock.monotonic() < beat:
                await wait_or_sleep(change, self._clock, beat - self._clock.monotonic())
                change = self._changes.next()

    async def _publish_state(self, client: aiomqtt.Client, state: TerminalState) -> None:
        for root in self._roots:
            await client.publish(state_topic(root, self._identity.terminal), state_text(state), qos=1, retain=True)

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await self._publish_state(client, replace(self._state(), online=False))


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call] # paho leaves it untyped


def _alike(one: TerminalState, other: TerminalState) -> bool:
    """Return whether two states differ in nothing but the passing of time."""
    return replace(one, at=None, uptime_s=None) == replace(other, at=None, uptime_s=None)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
