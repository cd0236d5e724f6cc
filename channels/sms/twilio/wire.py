"""HTTP/1.1 to one server, as little of it as one needs to post forms and to read short answers, and no more of the processor.

A general client spends more on a text than all of warnd does beside it. Nothing here tries twice, follows a redirect, keeps a cookie or
unpacks anything: each call ends in its one whole answer, or in an error that says whether the request can have left.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast
from urllib.parse import urlsplit

from channels.sms.twilio.answer import Answer, AnswerError, Coming

_KEEPALIVE_S = 10.0  # Shorter than any server's, so that a try seldom begins on a connection that is just being closed.
_FRESH_S = 0.05  # So long after its last answer a connection can be relied upon without a look at it.
_CLOSING_S = 1.0
_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class NoLineError(OSError):
    """There was no connection, so that nothing has left."""


class Wire:
    """Connections to one server.

    Args:
        base_url: Of which only scheme, host and port matter.
        timeout_s: For a whole call; half of it for the connection alone, so that a call that ran out of it is known to have been under way.
        connections: Open at once.
    """

    def __init__(self, base_url: str, *, timeout_s: float, connections: int) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(connections)
        self._idle: list[tuple[_Line, float]] = []
        self._lines: set[_Line] = set()

    async def call(self, request: bytes) -> Answer:
        """Send a whole request and return the answer to it.

        Raises:
            NoLineError: Nothing has left.
            TimeoutError, OSError, AnswerError: It was under way.
        """
        async with asyncio.timeout(self._timeout_s):
            line = await self._taken()
            try:
                return await line.call(request)
            finally:
                self._turns.release()
                self._keep(line)

    async def close(self) -> None:
        """Close all connections."""
        lines, self._lines = self._lines, set()
        self._idle.clear()
        for line in lines:
            line.close()
        if lines:
            await asyncio.wait([line.closed for line in lines], timeout=_CLOSING_S)

    async def _taken(self) -> "_Line":
        """Return a connection, and hold one of the turns."""
        if self._idle and not self._turns.locked() and (line := await self._in_turn(self._kept)) is not None:
            return line
        try:
            async with asyncio.timeout(self._timeout_s / 2):
                return await self._in_turn(self._any)
        except TimeoutError as error:
            raise NoLineError(f"none to {self._host}:{self._port} in time") from error
        except (OSError, UnicodeError) as error:  # Among them a name that is none, and one that no name service knows.
            raise NoLineError(str(error) or type(error).__name__) from error

    async def _in_turn(self, make: Callable[[], Awaitable[T]]) -> T:
        """Take a turn and keep it, if something comes of it."""
        await self._turns.acquire()
        made = None
        try:
            made = await make()
        finally:
            if made is None:
                self._turns.release()
        return made

    async def _any(self) -> "_Line":
        return await self._kept() or await self._connected()

    async def _connected(self) -> "_Line":
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(_Line, self._host, self._port, ssl=self._tls)
        self._lines.add(line)
        line.closed.add_done_callback(lambda _: self._lines.discard(line))
        return line

    async def _kept(self) -> "_Line | None":
        """Return the connection that was used last, if it can still be relied upon."""
        time = asyncio.get_running_loop().time
        while self._idle:
            line, since = self._idle.pop()
            if time() - since > _FRESH_S:
                for _ in range(2):  # That the server closes it is read before anything is written.
                    await asyncio.sleep(0)
            if line.usable and time() - since < _KEEPALIVE_S:
                return line
            line.close()
        return None

    def _keep(self, line: "_Line") -> None:
        if line.usable and line in self._lines:
            self._idle.append((line, asyncio.get_running_loop().time()))
        else:
            line.close()


class _Line(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._free = False
        self._answer: asyncio.Future[Answer] | None = None
        self._coming = Coming()

    @property
    def usable(self) -> bool:
        """Say whether it is open and nothing is under way on it."""
        return self._free and not self._transport.is_closing()

    async def call(self, request: bytes) -> Answer:
        self._coming, self._answer = Coming(), self.closed.get_loop().create_future()
        self._free = False
        self._transport.write(request)
        answer = await self._answer
        self._free = answer.lasts
        return answer

    def close(self) -> None:
        self._free = False
        if not self.closed.done():
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._free = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # An answer to nothing: whatever it belongs to, the next one could be taken for another's.
            return
        try:
            answer = self._coming.fed(data)
        except AnswerError as error:
            self._answer.set_exception(error)
            self.close()
            return
        if answer is not None:
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._free = False
        if not self.closed.done():
            self.closed.set_result(None)
        if self._answer is None or self._answer.done():
            return
        answer = self._coming.ended() if exc is None else None
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer was whole"))
