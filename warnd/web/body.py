"""CAP documents as they come in over HTTP: of the right kind, bounded in size and in time."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warnd.model.cap import MAX_BYTES
from warnd.web.problems import Problem

MEDIA_TYPES = ("application/cap+xml", "application/xml", "text/xml")
_DIGITS = 12  # No number longer than this is worth reading.
_WHOLE_S = 60.0  # Enough for 2 MiB over the worst line; nobody may keep a half document open for longer.


async def cap_body(request: Request) -> bytes:
    """Return the request's body.

    Raises:
        Problem: 415, it says that it is no XML; 408, it did not come in time.
        HTTPException: 413, it is larger than 2 MiB; the rest is not read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise Problem(
            415,
            f"Send the CAP document with Content-Type {' or '.join(MEDIA_TYPES)}.",
            headers={"Accept-Post": ", ".join(MEDIA_TYPES)},
        )
    try:
        async with asyncio.timeout(_WHOLE_S):
            return await request.body()
    except TimeoutError:
        raise Problem(408, "The document did not arrive within a minute. Send it again.") from None
    except ClientDisconnect:
        raise Problem(400, "The connection broke before the document was whole. Send it again.") from None


class BodyLimit:
    """Stops reading any request's body at 2 MiB, whatever its header promised."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        promised = dict(scope["headers"]).get(b"content-length", b"0")
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            if promised.isdigit() and (len(promised) > _DIGITS or int(promised) > MAX_BYTES):
                raise _too_large()
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BYTES:
                raise _too_large()
            return message

        await self._app(scope, counted, send)


def _too_large() -> HTTPException:
    # What still comes would be read as the next request, so the connection ends here.
    return HTTPException(413, headers={"Connection": "close"})
