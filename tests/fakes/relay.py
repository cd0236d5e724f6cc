"""A relay before a server that cannot be cut off by itself: it opens and closes a port, cuts connections, and speaks TLS if told to."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

from channels.break_off import break_off

_CHUNK = 65536


class Relay:
    """Carries bytes between its own port and another.

    Attributes:
        port: Where it listens; the same after every `open`.
    """

    def __init__(self, to_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._to_port = to_port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._cuts: set[Callable[[], None]] = set()

    async def open(self) -> None:
        """Listen."""
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port, ssl=self._tls)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a cable is cut: without a word."""
        for cut in tuple(self._cuts):
            cut()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("127.0.0.1", self._to_port)

        def cut() -> None:
            break_off(writer.transport)
            break_off(away.transport)

        self._cuts.add(cut)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, away, cut))
                both.create_task(_copy(there, writer, cut))
        finally:
            self._cuts.discard(cut)
            cut()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Callable[[], None]) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    cut()
