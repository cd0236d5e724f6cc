"""A line to a server that can fail in every way that lines and servers do; whatever protocol is spoken over it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from channels.break_off import break_off

Fault = Literal["dies", "hangs", "resets", "answers garbage", "answers too late"]
FAULTS: Final[tuple[Fault, ...]] = ("dies", "hangs", "resets", "answers garbage", "answers too late")
_CHUNK: Final = 65536
_GARBAGE: Final = bytes((number * 37 + 11) % 256 for number in range(64))


class Line:
    """Carries bytes between its own port and a server's.

    Args:
        to_port: The server's.
        late_s: How much later than at once the server answers when it "answers too late".
        once: What a client must have said before anything fails for it; b"" = nothing.

    Attributes:
        port: Where it listens; always the same.
        struck: How often the fault met a client that was there or came.
    """

    def __init__(self, to_port: int, *, late_s: float, once: bytes = b"") -> None:
        self.port = 0
        self.struck = 0
        self._to_port = to_port
        self._late_s = late_s
        self._once = once
        self._fault: Fault | None = None
        self._server: asyncio.Server | None = None
        self._cuts: set[Callable[[], None]] = set()

    async def open(self) -> None:
        """Listen."""
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def fail(self, fault: Fault) -> None:
        """Let everything from now on fail like this; connections that are open stay, but where the server dies."""
        self._fault = fault
        if fault == "dies" and not self._once:
            self.struck += 1
            await self.close()

    async def heal(self) -> None:
        """Let everything be well again; connections that have met the fault are gone."""
        self._fault = None
        self._cut()
        await self.open()

    async def close(self) -> None:
        """Listen no more and cut every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._cut()

    def _cut(self) -> None:
        for cut in tuple(self._cuts):
            cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, away = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            break_off(writer.transport)
            return

        def cut() -> None:
            break_off(writer.transport)
            break_off(away.transport)

        self._cuts.add(cut)
        talk = _Talk(reader, writer, there, away, cut)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._asks(talk))
                both.create_task(self._answers(talk))
        finally:
            self._cuts.discard(cut)
            cut()

    def _now(self, talk: "_Talk") -> Fault | None:
        """Return what happens to this connection now."""
        return self._fault if talk.said else None

    async def _asks(self, talk: "_Talk") -> None:
        """Carry what the daemon says; what it said before the line was reset has arrived."""
        with suppress(OSError):
            while chunk := await talk.reader.read(_CHUNK):
                talk.said = self._fault is not None and (talk.said or self._once in talk.tail + chunk)
                talk.tail = chunk[-len(self._once) :] if self._once else b""
                fault = self._now(talk)
                self.struck += fault is not None
                if fault == "hangs":
                    continue
                talk.away.write(chunk)
                await talk.away.drain()
                if fault == "dies":
                    await self.close()
                if fault == "resets":
                    break
        talk.cut()

    async def _answers(self, talk: "_Talk") -> None:
        with suppress(OSError):
            while chunk := await talk.there.read(_CHUNK):
                fault = self._now(talk)
                if fault == "hangs":
                    continue
                if fault == "answers too late":
                    asyncio.get_running_loop().call_later(self._late_s, _say, talk.writer, chunk)
                    continue
                talk.writer.write(_GARBAGE if fault == "answers garbage" else chunk)
                await talk.writer.drain()
        talk.cut()


@dataclass(slots=True)
class _Talk:
    """One connection, both its halves, and whether the client has said what the fault waits for."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    there: asyncio.StreamReader
    away: asyncio.StreamWriter
    cut: Callable[[], None]
    said: bool = False
    tail: bytes = b""


def _say(back: asyncio.StreamWriter, chunk: bytes) -> None:
    if not back.is_closing():
        back.write(chunk)
