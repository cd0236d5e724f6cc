"""Bodies as they come in over HTTP: bounded in size and in time; and CAP documents, of the right kind."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warnd.model.cap import MAX_BYTES
from warnd.web.problems import Problem

MEDIA_TYPES = ("application/cap+xml", "application/xml", "text/xml")
_DIGITS = 12  # No number longer than this is worth reading.
WHOLE_S = 60.0  # Enough for 2 MiB over the worst line; nobody may keep a half document open for longer.


async def cap_body(request: Request) -> bytes:
    """Return the request's body.

    Raises:
        Problem: 415, it says that it is no XML.
        HTTPException: 413, it is larger than 2 MiB; 408, it did not come in time; the rest is not read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise Problem(
            415,
            f"Send the CAP document with Content-Type {' or '.join(MEDIA_TYPES)}.",
            headers={"Accept-Post": ", ".join(MEDIA_TYPES)},
        )
    try:
        return await request.body()
    except ClientDisconnect:
        raise Problem(400, "The connection broke before the document was whole. Send it again.") from None


class BodyLimit:
    """Stops reading any request's body at 2 MiB, and when it is not whole in a minute, whatever its header promised."""

    def __init__(self, app: ASGIApp, *, whole_s: float = WHOLE_S) -> None:
        self._app = app
        self._whole_s = whole_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a body that is counted and timed."""
        bounded = limited(scope, receive, whole_s=self._whole_s) if scope["type"] == "http" else receive
        await self._app(scope, bounded, send)


def limited(scope: Scope, receive: Receive, *, whole_s: float = WHOLE_S) -> Receive:
    """Return where a request's body comes from, counted and timed: it raises HTTPException 413 and 408."""
    give_up_at = asyncio.get_running_loop().time() + whole_s
    seen, whole = 0, False

    async def bounded() -> Message:
        nonlocal seen, whole
        if whole:
            return await receive()  # Only the end of the connection comes now; a stream waits for it for hours.
        if not seen and _promises_too_much(scope):
            raise _ended(413)
        message = await _by(give_up_at, receive)
        seen += len(message.get("body", b""))
        if seen > MAX_BYTES:
            raise _ended(413)
        whole = not message.get("more_body", False)
        return message

    return bounded


def _promises_too_much(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and (len(value) > _DIGITS or int(value) > MAX_BYTES)
    return False


async def _by(give_up_at: float, receive: Receive) -> Message:
    try:
        async with asyncio.timeout_at(give_up_at):
            return await receive()
    except TimeoutError:
        raise _ended(408) from None


def _ended(status: int) -> HTTPException:
    # What still comes would be read as the next request, so the connection ends here.
    return HTTPException(status, headers={"Connection": "close"})
