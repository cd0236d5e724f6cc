"""A broker that speaks just enough MQTT 5 to answer what a real one will not on request: odd reason codes, limits, silence."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12
RECEIVE_MAXIMUM, RETAIN_AVAILABLE, MAXIMUM_QOS, MAXIMUM_PACKET_SIZE = 0x21, 0x25, 0x24, 0x27  # MQTT 5.0 §2.2.2.2.


@dataclass
class ScriptedBroker:
    """What it answers and what it saw.

    Attributes:
        connack: Properties of the CONNACK, encoded.
        suback: The reason code for every subscription.
        puback: Number of the PUBLISH, from 1 -> reason code; None = no answer.
        published: Topics in the order of arrival.
        connections: How many CONNECTs were seen.
    """

    host: str = "127.0.0.1"
    port: int = 0
    connack: bytes = b""
    suback: int = 0x01
    puback: Callable[[int], int | None] = lambda _number: 0x00
    published: list[str] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it leaves."""
        try:
            while True:
                kind, body = await _packet(reader)
                writer.write(self._answer(kind, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, kind: int, body: bytes) -> bytes:
        if kind == CONNECT:
            self.connections += 1
            return _sealed(0x20, bytes([0, 0, len(self.connack)]) + self.connack)
        if kind == SUBSCRIBE:
            return _sealed(0x90, body[:2] + b"\x00" + bytes([self.suback, self.suback]))
        if kind == PINGREQ:
            return _sealed(0xD0, b"")
        return self._publish(body) if kind == PUBLISH else b""

    def _publish(self, body: bytes) -> bytes:
        topic_bytes = struct.unpack_from("!H", body)[0]
        packet_id = body[2 + topic_bytes : 4 + topic_bytes]
        self.published.append(body[2 : 2 + topic_bytes].decode())
        code = self.puback(len(self.published))
        return b"" if code is None else _sealed(0x40, packet_id + bytes([code]))


def integer_property(name: int, number: int, *, size_bytes: int) -> bytes:
    """Return one CONNACK property."""
    return bytes([name]) + number.to_bytes(size_bytes, "big")


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0] >> 4
    length, shift, more = 0, 0, True
    while more:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift, more = shift + 7, bool(byte & 0x80)
    return kind, await reader.readexactly(length)


def _sealed(first: int, body: bytes) -> bytes:
    assert len(body) < 128, "the answers of this broker are short"
    return bytes([first, len(body)]) + body


@asynccontextmanager
async def scripted_broker(
    broker: ScriptedBroker, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedBroker]:
    """Let it listen on an ephemeral loopback port."""
    server = await asyncio.start_server(broker.serve, broker.host, 0, ssl=tls)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
