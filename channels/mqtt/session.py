"""One connection to the broker, from CONNECT to its end.

It is never used again after that: a client that reconnects would resend what was already reported as failed. Owns the
window of publishes in flight and the order of acknowledgements. Knows nothing of commands, receipts or retries.
"""

import asyncio
import logging
import math
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import aiomqtt
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from channels.mqtt.ackorder import AckOrder
from channels.mqtt.fate import Answered, Lost, NotSent, Parcel, Settle, TooLarge, Wrap
from channels.mqtt.options import KEEPALIVE_S, TCP_CONNECT_MAX_S, LineOptions
from channels.mqtt.reasons import Packet, reason
from warnd import cancellation

_T = TypeVar("_T")

# What OpenSSL and the system say -> what to do; their words are all that comes through.
_FIXES = {
    "certificate has expired": "renew the broker's certificate, or check this machine's clock",
    "not yet valid": "check this machine's clock",
    "Hostname mismatch": "the broker's certificate is for another name: use the name that it has as host",
    "IP address mismatch": "the broker's certificate is for another address: use the name that it has as host",
    "ALERT_CERTIFICATE_REQUIRED": "the broker asks for a certificate: give cert_file and key_file",
    "ALERT_CERTIFICATE_EXPIRED": "renew cert_file; the broker takes it for expired",
    "ALERT_CERTIFICATE_REVOKED": "cert_file was revoked: ask for another",
    "ALERT_UNKNOWN_CA": "cert_file must be signed by the authority that this port of the broker trusts",
    "CERTIFICATE_VERIFY_FAILED": "ca_file must be the authority that signed the broker's certificate",
    "WRONG_VERSION_NUMBER": "nobody speaks TLS on this port: check the port, or tls in the settings",
    "Connection refused": "nothing listens there: check host and port, or start the broker",
    "Name or service not known": "nobody knows this name: check host",
    "name resolution": "no name can be looked up now: check this machine's network",
    "No route to host": "check host and the network",
    "Network is unreachable": "check this machine's network",
    "timed out": "nothing answers there: check host, port, the network and its firewalls",
}

RECEIVE_MAXIMUM = 1000  # Receipts that may be with us uncommitted; the recorder commits some hundreds at once.
_READ_MAX = 100  # Packets in one turn of the event loop; some milliseconds.
_WINDOW_OF_STANDARD = 65_535  # What a CONNACK without Receive Maximum allows (MQTT 5.0 §3.2.2.3.3).
_HEADERS_BYTES = 32  # More than the fixed header, the lengths and the one property of our PUBLISH packets.


class ConnectError(Exception):
    """The broker cannot be used; the text says why and what to check."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One PUBLISH that came in. `packet_id` is 0 with QoS 0, which wants no acknowledgement."""

    session: "Session"
    topic: str
    payload: bytes
    packet_id: int


class Session:
    """The connection while it lasts.

    Attributes:
        resumed: The broker still had our session, and with it most likely all that it retained.
    """

    def __init__(
        self, client: aiomqtt.Client, options: LineOptions, receive: Callable[[Arrival], None], *, heard: "_LastError"
    ) -> None:
        self.resumed = False
        self._heard = heard
        self._options = options
        self._receive = receive
        self._client = client
        # aiomqtt hides PUBACK codes, packet ids and CONNACK properties; its paho client is the only place to see them.
        self._paho = client._client  # noqa: SLF001 - no public way to what the line above names
        self._loop = asyncio.get_running_loop()
        self._window = options.window
        self._packet_max = math.inf
        self._unfit: str | None = None
        self._turn: deque[tuple[Wrap, Settle]] = deque()
        self._flight: dict[int, tuple[Settle, asyncio.TimerHandle]] = {}
        self._acks = AckOrder()
        self._came = 0
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._in_thread = False
        self._connect_blocking = client._client_connect  # noqa: SLF001 - see above
        self._attach()

    @property
    def cause(self) -> str | None:
        """Why the connection ended; None while it lasts."""
        return self._over.result() if self._over.done() else None

    def submit(self, wrap: Wrap, settle: Settle) -> None:
        """Publish when the window allows; call `settle` exactly once with what became of it.

        Args:
            wrap: Makes the packet in the moment in which it leaves, so that its times and its nonce are of that moment.
            settle: Must not raise. Not called at all if `wrap` returns None.
        """
        self._turn.append((wrap, settle))
        self._pump()

    def hand_out(self, parcel: Parcel) -> None:
        """Publish with QoS 0 what will be asked for again if it is lost.

        The PUBACKs of thousands of these would stand behind all that a fleet sends, and hold up the window that commands need.
        """
        if not self._over.done():
            self._paho.publish(parcel.topic, parcel.payload, qos=0, properties=_expiring(parcel.expiry_s))

    def confirm(self, arrival: Arrival) -> None:
        """Acknowledge what is committed, in the order of arrival."""
        if arrival.packet_id and not self._over.done():
            self._acknowledge(self._acks.done(arrival.packet_id))

    def set_aside(self, arrival: Arrival) -> None:
        """Let others be acknowledged before this one, which cannot be committed."""
        if arrival.packet_id and not self._over.done():
            self._acknowledge(self._acks.stuck(arrival.packet_id))

    async def subscribe(self, topics: tuple[str, ...]) -> None:
        """Subscribe with QoS 1.

        Raises:
            ConnectError: The broker refused one, or did not answer in time.
        """
        try:
            codes = await _heeding_cancellation(self._client.subscribe([(topic, 1) for topic in topics]))
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise ConnectError(f"the broker did not confirm the subscriptions ({error})") from error
        for topic, code in zip(topics, codes, strict=True):
            if isinstance(code, ReasonCode) and code.is_failure:
                raise ConnectError(
                    f"the broker refuses the subscription to {topic} ({reason(Packet.SUBACK, code.value)})"
                )

    async def unsubscribe(self, topic: str) -> None:
        """Hear no more of a topic; what the broker had already for us still comes.

        Raises:
            ConnectError: The broker did not answer in time.
        """
        try:
            await _heeding_cancellation(self._client.unsubscribe(topic))
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise ConnectError(f"the broker did not confirm the end of a subscription ({error})") from error

    async def ended(self) -> str:
        """Wait until the connection has ended; return why."""
        return await asyncio.shield(self._over)

    def end(self, cause: str) -> None:
        """Close the connection; whatever is written to it no more leaves after this. Settle what is open."""
        if self._over.done():
            return
        self._over.set_result(cause)
        self._paho.on_disconnect = None  # aiomqtt's own breaks on a connection whose making was cancelled.
        if not self._in_thread:
            # After what aiomqtt has put into the loop's queue for this socket, and before the loop writes to it again.
            self._loop.call_soon(self._close)
        flight, self._flight = self._flight, {}
        for settle, timer in flight.values():
            timer.cancel()
            settle(Lost(cause))
        while self._turn:
            self._turn.popleft()[1](NotSent(cause))

    def _attach(self) -> None:
        opened = cast("Callable[..., None]", self._paho.on_connect)

        def on_connect(client: Any, userdata: Any, flags: paho.ConnectFlags, code: Any, properties: Any) -> None:
            self._learn(flags, properties)
            opened(client, userdata, flags, code, properties)

        self._client._client_connect = self._connect  # type: ignore[method-assign]  # noqa: SLF001 - see `_connect`
        self._paho.on_connect = on_connect
        self._paho.on_publish = self._on_puback
        self._paho.on_message = self._on_message
        self._paho.manual_ack_set(True)
        self._read_one = self._paho.loop_read
        self._paho.loop_read = self._read  # type: ignore[method-assign, assignment]  # paho's codes have no type to name
        self._paho.connect_timeout = min(self._options.timeout_s, TCP_CONNECT_MAX_S)

        self._watch()

    def _watch(self) -> None:
        # aiomqtt tells the end of a connection through its message iterator, which is bypassed here, and this future.
        self._client._disconnected.add_done_callback(lambda ended: self.end(_end_of(ended)))  # noqa: SLF001 - see above

    def _read(self, _max_packets: int = 1) -> int:
        """Read on while packets come: one for each turn of the event loop would be a few hundred in a second at the worst of times."""
        for _ in range(_READ_MAX):
            came = self._came
            code: int = self._read_one()
            if code != paho.MQTT_ERR_SUCCESS or came == self._came:
                return code
        return code

    def _learn(self, flags: paho.ConnectFlags, properties: Properties | None) -> None:
        self.resumed = flags.session_present
        self._window = min(self._options.window, getattr(properties, "ReceiveMaximum", _WINDOW_OF_STANDARD))
        self._packet_max = getattr(properties, "MaximumPacketSize", math.inf)
        if getattr(properties, "RetainAvailable", 1) == 0:
            self._unfit = "the broker keeps no retained messages, so terminals that come later would never hear"
        if getattr(properties, "MaximumQoS", 1) == 0:
            self._unfit = "the broker has no QoS 1, so receipts would be lost"

    def _pump(self) -> None:
        while self._turn and not self._over.done() and len(self._flight) < self._window:
            self._launch(*self._turn.popleft())

    def _launch(self, wrap: Wrap, settle: Settle) -> None:
        parcel = wrap()
        if parcel is None:
            return
        if len(parcel.payload) + len(parcel.topic.encode()) + _HEADERS_BYTES > self._packet_max:
            settle(TooLarge(int(self._packet_max)))
            return
        properties = _expiring(parcel.expiry_s)
        info = self._paho.publish(parcel.topic, parcel.payload, qos=1, retain=parcel.retain, properties=properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            settle(NotSent(paho.error_string(info.rc)))
            return
        late = f"no PUBACK within {self._options.timeout_s:g} s"
        self._flight[info.mid] = (settle, self._loop.call_later(self._options.timeout_s, self.end, late))

    def _on_puback(self, _client: Any, _userdata: Any, packet_id: int, code: ReasonCode, _properties: Any) -> None:
        self._came += 1
        if packet_id not in self._flight:
            return  # It came between the end and the closing of the socket, and was reported as lost.
        settle, timer = self._flight.pop(packet_id)
        timer.cancel()
        settle(Answered(code.value))
        # Not at once: paho frees the packet id only after this callback.
        self._loop.call_soon(self._pump)

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._came += 1
        packet_id = message.mid if message.qos else 0
        if packet_id:
            self._acks.arrived(packet_id)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._receive(Arrival(self, topic, bytes(message.payload), packet_id))

    def _acknowledge(self, packet_ids: list[int]) -> None:
        for packet_id in packet_ids:
            self._paho.ack(packet_id, 1)

    def _connect(self) -> None:
        """Connect in aiomqtt's thread, which goes on after its caller was cancelled: what it opens must still be closed."""
        self._in_thread = True
        try:
            self._connect_blocking()
        finally:
            self._loop.call_soon_threadsafe(self._thread_left)

    def _thread_left(self) -> None:
        self._in_thread = False
        if self._over.done():
            self._close()

    def _close(self) -> None:
        self._paho.on_socket_register_write = None  # So that paho writes DISCONNECT now, if the socket takes it.
        with suppress(OSError, ValueError):
            self._paho.disconnect()
        self._paho._sock_close()  # noqa: SLF001 - the only way to close at once when the other side has stopped reading

    async def open(self) -> None:
        """Connect.

        Raises:
            ConnectError: The broker cannot be reached, refuses us, or lacks what the protocol needs.
        """
        try:
            await _heeding_cancellation(self._client.__aenter__())
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise ConnectError(self._heard.text or _cause(error)) from error
        if self._unfit:
            raise ConnectError(self._unfit)
        self._watch()  # Connecting may have replaced the future.


async def _heeding_cancellation(call: Coroutine[Any, Any, _T]) -> _T:
    """Await one of aiomqtt's calls, which wait by `asyncio.wait_for`."""
    try:
        return await call
    finally:
        cancellation.heed()


@asynccontextmanager
async def connected(options: LineOptions, receive: Callable[[Arrival], None]) -> AsyncIterator[Session]:
    """Connect with the persistent session of `options.identity`, and close at exit.

    Raises:
        ConnectError: The broker cannot be used.
    """
    heard = _LastError()
    session = Session(_client(options, heard), options, receive, heard=heard)
    try:
        await session.open()
        yield session
    finally:
        session.end("closed")


class _LastError(logging.Handler):
    """Listens to the client library's log: why a broker hung up during the TLS handshake is told nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the cause, if it is one that a person can do something about."""
        told = record.getMessage().partition(": ")[2]
        fix = _fix(told)
        self.text = f"{told}: {fix}" if fix else self.text


def _client(options: LineOptions, heard: _LastError) -> aiomqtt.Client:
    log = logging.Logger("one MQTT session")  # noqa: LOG001 - nobody else shall hear what one connection says
    log.addHandler(heard)
    asked = _properties(
        PacketTypes.CONNECT, SessionExpiryInterval=options.session_expiry_s, ReceiveMaximum=RECEIVE_MAXIMUM
    )
    return aiomqtt.Client(
        hostname=options.host,
        port=options.port,
        username=options.username,
        password=options.password,
        identifier=options.identity,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=asked,
        timeout=options.timeout_s,
        keepalive=KEEPALIVE_S,
        max_inflight_messages=0,  # The window is counted here; a second queue inside paho would hide what has left.
        tls_context=options.tls,
        logger=log,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )


def _properties(packet: int, **values: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho wrote no types here
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@lru_cache(maxsize=256)  # Paho builds a large table for each; a wave of commands has one life.
def _expiring(expiry_s: int) -> Properties:
    return _properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)


def _end_of(disconnected: asyncio.Future[None]) -> str:
    error = None if disconnected.cancelled() else disconnected.exception()
    return "closed" if error is None else _cause(error)


def _cause(error: BaseException) -> str:
    """Return what went wrong, with what to do where that is known."""
    told, code = str(error) or type(error).__name__, getattr(error, "rc", None)
    if isinstance(code, ReasonCode):
        packet = Packet.CONNACK if isinstance(error, MqttConnectError) else Packet.DISCONNECT
        fix = reason(packet, code.value).fix
    else:
        fix = _fix(told)
    return f"{told}: {fix}" if fix else told


def _fix(told: str) -> str:
    return next((fix for word, fix in _FIXES.items() if word in told), "")
