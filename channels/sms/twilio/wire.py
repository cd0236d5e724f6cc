"""HTTP/1.1 to one server, as little of it as one needs to post forms and to read short answers, and no more of the processor.

A general client spends more on a text than all of warnd does beside it. Nothing here tries twice, follows a redirect, keeps a cookie or
unpacks anything: each call ends in its one whole answer, or in an error that says whether the request can have left.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import urlsplit

_HEAD_MAX = 64 * 1024
_BODY_MAX = 1_000_000  # Bytes; fifty messages of a list are about 60 KB.
_KEEPALIVE_S = 10.0  # Shorter than any server's, so that a try seldom begins on a connection that is just being closed.
_FRESH_S = 0.05  # So long after its last answer a connection can be relied upon without a look at it.
_CLOSING_S = 1.0
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_SIZE_MAX = 256  # Characters of a chunk's first line.
_BODILESS = frozenset({204, 304})
_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class NoLineError(OSError):
    """There was no connection, so that nothing has left."""


class AnswerError(ValueError):
    """What came is no answer, or too long for one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. `head` is its lines in lower case, each behind CR LF."""

    status: int
    head: bytes
    body: bytes
    lasts: bool

    def told(self, name: bytes) -> str | None:
        """Return the value of a header (its name in lower case), in lower case, or None."""
        return _told(self.head, name)


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


class Coming:
    """One answer as its bytes come in (RFC 9112): strict, for what is not understood may belong to anything."""

    def __init__(self) -> None:
        self._came = bytearray()
        self._body = bytearray()
        self._status = 0
        self._head = b""
        self._lasts = False
        self._length: int | None = None  # Of the body; None = chunked, or until the end of the connection.
        self._chunked = False

    def fed(self, data: bytes) -> Answer | None:
        """Take in some bytes; return the answer once it is whole.

        Raises:
            AnswerError: It never will be.
        """
        self._came += data
        while not self._status:
            if not self._read_head():
                return None
        if self._chunked:
            return self._made(lasts=self._lasts and not self._came) if self._read_chunks() else None
        if self._length is None:
            _bound(len(self._came))
            return None
        if len(self._came) < self._length:
            return None
        lasts = self._lasts and len(self._came) == self._length
        self._body = self._came[: self._length]
        return self._made(lasts=lasts)

    def ended(self) -> Answer | None:
        """Return the answer that ends with its connection, or None if something of it is missing."""
        if not self._status or self._chunked or self._length is not None:
            return None
        self._body = self._came
        return self._made(lasts=False)

    def _made(self, *, lasts: bool) -> Answer:
        return Answer(self._status, self._head, bytes(self._body), lasts)

    def _read_head(self) -> bool:
        """Read a head; return False if it is not whole yet. One of 1xx is passed over: the answer is still to come."""
        end = self._came.find(b"\r\n\r\n")
        if end < 0 or end > _HEAD_MAX:
            if len(self._came) > _HEAD_MAX:
                raise AnswerError("the answer's head is too large")
            return False
        first, _, rest = bytes(self._came[:end]).partition(b"\r\n")
        del self._came[: end + 4]
        found = _STATUS.fullmatch(first)
        if found is None or found[2] == b"101":
            raise AnswerError("the answer is no HTTP")
        if not found[2].startswith(b"1"):
            self._status, self._head = int(found[2]), b"\r\n" + rest.lower()
            self._lasts = found[1] == b"1" and "close" not in (_told(self._head, b"connection") or "")
            self._frame()
        return True

    def _frame(self) -> None:
        """Find out where the body ends (RFC 9112 §6.3)."""
        length, coding = _told(self._head, b"content-length"), _told(self._head, b"transfer-encoding")
        if self._status in _BODILESS:
            self._length = 0
        elif coding is not None:
            if coding != "chunked" or length is not None:
                raise AnswerError("the answer's length is told in no way that is known")
            self._chunked = True
        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                raise AnswerError("the answer's length is no number")
            self._length = int(length)
            _bound(self._length)

    def _read_chunks(self) -> bool:
        """Take in whole chunks (RFC 9112 §7.1); return whether the last one was among them."""
        while (end := self._came.find(b"\r\n", 0, _SIZE_MAX)) >= 0:
            size = _SIZE.fullmatch(self._came[:end])
            if size is None:
                raise AnswerError("the answer is chunked in no way that is known")
            length = int(size[1], 16)
            if length == 0:
                return self._read_trailer(end)
            _bound(len(self._body) + length)
            begin = end + 2
            if len(self._came) < begin + length + 2:
                return False
            if self._came[begin + length : begin + length + 2] != b"\r\n":
                raise AnswerError("a chunk of the answer does not end where it should")
            self._body += self._came[begin : begin + length]
            del self._came[: begin + length + 2]
        if len(self._came) > _SIZE_MAX:
            raise AnswerError("the answer is chunked in no way that is known")
        return False

    def _read_trailer(self, begin: int) -> bool:
        end = self._came.find(b"\r\n\r\n", begin)
        if end < 0:
            if len(self._came) > _HEAD_MAX:
                raise AnswerError("the answer's trailer is too large")
            return False
        del self._came[: end + 4]
        return True


def _told(head: bytes, name: bytes) -> str | None:
    mark = b"\r\n" + name + b":"
    at = head.find(mark)
    if at < 0:
        return None
    if head.find(mark, at + 1) >= 0:
        raise AnswerError(f"the answer tells {name.decode()} twice")
    begin = at + len(mark)
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else len(head)].strip().decode("latin-1")


def _bound(length: int) -> None:
    if length > _BODY_MAX:
        raise AnswerError("the answer is too large")
