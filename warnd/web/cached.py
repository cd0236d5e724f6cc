"""Answers that many ask for again and again: an ETag, 304, gzip, and for programs on other sites CORS.

Last-Modified is told but If-Modified-Since is not heeded: it counts in seconds, and a warning may follow another within one.
"""

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

UP_TO_DATE = "public, max-age=1, must-revalidate"
ONE_HOUR = "public, max-age=3600"
_KEPT = 500
_KEPT_BYTES = 64 * 1024 * 1024
_WORTH_PRESSING = 1_000  # Bytes; a shorter body fits into one packet anyway.
_DAY_S = 86_400

OPEN_TO_ALL = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Last-Modified, Date",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_PREFLIGHT = {
    **OPEN_TO_ALL,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "If-None-Match, Last-Event-ID, Cache-Control",
    "Access-Control-Max-Age": str(_DAY_S),
}

Endpoint = Callable[[Request], Awaitable[Response]]


class Body:
    """The bytes of one answer with their mark, and pressed when somebody first wants them so."""

    def __init__(self, content: bytes, media_type: str, *, changed_at: datetime | None = None) -> None:
        self.content = content
        self.media_type = media_type
        self.changed_at = changed_at
        self._mark = hashlib.sha256(content).hexdigest()[:24]
        self._pressed: bytes | None = None

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, at most."""
        return 2 * len(self.content)

    def tag(self, *, pressed: bool) -> str:
        """Return its ETag: another one for other bytes (RFC 9110 §8.8.3.3)."""
        return f'"{self._mark}-gzip"' if pressed else f'"{self._mark}"'

    def pressed(self) -> bytes:
        """Return it as gzip."""
        if self._pressed is None:
            self._pressed = gzip.compress(self.content, 6, mtime=0)
        return self._pressed


class Shelf:
    """Bodies made once and given to all who ask the same until it changes. Bounded in number and bytes."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Body | None:
        """Return what was put there, if it still stands."""
        found = self._bodies.get(key)
        if found is not None:
            self._bodies.move_to_end(key)
        return found

    def put(self, key: Hashable, body: Body) -> Body:
        """Keep a body and return it; the ones not asked for the longest make room."""
        old = self._bodies.pop(key, None)
        self._bytes += body.size - (old.size if old is not None else 0)
        self._bodies[key] = body
        while len(self._bodies) > _KEPT or self._bytes > _KEPT_BYTES:
            self._bytes -= self._bodies.popitem(last=False)[1].size
        return body


def answer(request: Request, body: Body, *, cache: str = UP_TO_DATE, status: int = 200) -> Response:
    """Return the body as the visitor can take it, or 304 if they have it already."""
    pressed = len(body.content) >= _WORTH_PRESSING and _takes_gzip(request)
    tag = body.tag(pressed=pressed)
    headers = {"ETag": tag, "Cache-Control": cache, "Vary": "Accept-Language, Accept-Encoding"}
    if body.changed_at is not None:
        headers["Last-Modified"] = format_datetime(body.changed_at.astimezone(UTC), usegmt=True)
    if status == 200 and _known(request, tag):  # noqa: PLR2004 - HTTP's own number
        return Response(status_code=304, headers=headers)
    if pressed:
        headers["Content-Encoding"] = "gzip"
    return Response(body.pressed() if pressed else body.content, status, headers, media_type=body.media_type)


def _known(request: Request, tag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return tag in known or known == ["*"]


def _takes_gzip(request: Request) -> bool:
    accepted = {
        name.strip().lower(): weight.replace(" ", "").lower()
        for name, _, weight in (
            part.partition(";") for part in request.headers.get("accept-encoding", "").split(",")[:20]
        )
    }
    return accepted.get("gzip", "q=0") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}


def open_to_all(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for pages of any site: what is public may be read from anywhere (Fetch standard, CORS)."""

    async def opened(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        answered = await endpoint(request)
        answered.headers.update(OPEN_TO_ALL)
        return answered

    return opened
