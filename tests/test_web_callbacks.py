"""What channels' other sides call back is answered in front of the pages' machinery, and by the same rules."""

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from warnd.model.cap import MAX_BYTES
from warnd.web.callbacks import Callbacks
from warnd.web.headers import SecurityHeaders


async def _take(request: Request) -> Response:
    body = await request.body()
    if body == b"stranger":
        raise HTTPException(403)
    if body == b"crash":
        raise ZeroDivisionError
    told = request.path_params.get("token")
    return PlainTextResponse(told) if told else Response(status_code=204)


async def _told(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return PlainTextResponse(type(error).__name__, status)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of two callbacks in front of an application that says that it was reached."""
    routes = [Route("/receipts/a", _take, methods=["POST"]), Route("/receipts/b/{token}", _take, methods=["POST"])]
    callbacks = Callbacks(routes, answer=_told, guard=partial(SecurityHeaders, https=False))

    async def onward(request: Request) -> Response:
        return PlainTextResponse(f"onward {request.method} {request.url.path}")

    behind = Starlette(routes=[Route("/{path:path}", onward, methods=["GET", "POST"])])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not await callbacks.answered(scope, receive, send):
            await behind(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://w", timeout=10) as found:
        yield found


async def test_a_receipt_that_is_taken_is_answered_without_a_word(client: httpx.AsyncClient) -> None:
    answered = await client.post("/receipts/a", content=b"x")
    assert (answered.status_code, answered.headers.raw) == (204, [])


async def test_what_a_browser_could_show_carries_the_headers_of_every_page(client: httpx.AsyncClient) -> None:
    answered = await client.post("/receipts/b/secret")
    assert answered.text == "secret"
    assert answered.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "status", "text"), [(b"stranger", 403, "HTTPException"), (b"crash", 500, "ZeroDivisionError")]
)
async def test_an_error_is_told_as_the_application_tells_its_own(
    client: httpx.AsyncClient, body: bytes, status: int, text: str
) -> None:
    answered = await client.post("/receipts/a", content=body)
    assert (answered.status_code, answered.text) == (status, text)
    assert "content-security-policy" in answered.headers


async def test_a_body_without_bounds_is_not_read(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * (MAX_BYTES // 32)
        raise AssertionError("it was read to its end")

    assert (await client.post("/receipts/a", content=endless())).status_code == 413
    promised = await client.post("/receipts/a", content=b"x", headers={"Content-Length": str(MAX_BYTES + 1)})
    assert promised.status_code == 413


@pytest.mark.parametrize(("method", "path"), [("GET", "/receipts/a"), ("POST", "/receipts/none"), ("GET", "/")])
async def test_everything_else_goes_on_to_the_application(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, path)).text == f"onward {method} {path}"
