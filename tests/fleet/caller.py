"""One client that is told every reason code, for tests of who may do what at a broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fleet import wire

ANSWER_S = 10.0


class Caller:
    """A connection; `heard` grows with the topics on which something came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard: list[str] = []
        self._reader = reader
        self._writer = writer
        self._packets = wire.Packets()
        self._packet_id = 0

    async def subscribe(self, topic: str) -> int:
        """Return the SUBACK's code."""
        self._packet_id += 1
        return await self.ask(wire.SUBACK, wire.subscribe(self._packet_id, (topic,)))

    async def publish(self, topic: str, payload: bytes = b"tried", *, retain: bool = False) -> int:
        """Return the PUBACK's code."""
        self._packet_id += 1
        return await self.ask(wire.PUBACK, wire.publish(topic, payload, self._packet_id, retain=retain))

    async def until_heard(self, topic: str) -> None:
        """Return when something came there."""
        async with asyncio.timeout(ANSWER_S):
            while topic not in self.heard:
                await self._next()

    async def ask(self, kind: int, packet: bytes) -> int:
        """Send a packet and return the first reason code of what answers it."""
        self._writer.write(packet)
        async with asyncio.timeout(ANSWER_S):
            while True:
                for came, body in await self._next():
                    if came == kind:
                        return wire.reason_codes(kind, body)[0]

    async def _next(self) -> list[tuple[int, bytes]]:
        data = await self._reader.read(65_536)
        if not data:
            raise ConnectionError("the broker hung up")
        answers = []
        for kind, flags, body in self._packets.feed(data):
            if kind == wire.PUBLISH:
                came = wire.published(flags, body)
                self.heard.append(came.topic)
                if came.packet_id:
                    self._writer.write(wire.puback(came.packet_id))
            else:
                answers.append((kind, body))
        return answers

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def calling(host: str, port: int, *, user: str, password: str) -> AsyncIterator[Caller]:
    """Log in; the broker must let this user in."""
    reader, writer = await asyncio.open_connection(host, port)
    caller = Caller(reader, writer)
    try:
        hello = wire.connect(f"test-{user}-{port}", user=user, password=password, keepalive_s=60, session_s=0)
        code = await caller.ask(wire.CONNACK, hello)
        assert code == 0, f"{user}: {code:#04x}"
        yield caller
    finally:
        caller.close()
