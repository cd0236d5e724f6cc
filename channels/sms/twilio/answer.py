"""One answer of HTTP/1.1 as its bytes come in (RFC 9112). Strict: what is not understood may belong to anything. Pure."""

import re
from dataclasses import dataclass

_HEAD_MAX = 64 * 1024
_BODY_MAX = 1_000_000  # Bytes; fifty messages of a list are about 60 KB.
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_SIZE_MAX = 256  # Characters of a chunk's first line.
_BODILESS = frozenset({204, 304})


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
    """Return what a header tells, several of one name as one (RFC 9110 §5.3): two lengths are none, a second date harms nothing."""
    mark = b"\r\n" + name + b":"
    lines = (head + b"\r\n").split(mark)[1:]
    return b", ".join(line.partition(b"\r\n")[0].strip() for line in lines).decode("latin-1") if lines else None


def _bound(length: int) -> None:
    if length > _BODY_MAX:
        raise AnswerError("the answer is too large")
