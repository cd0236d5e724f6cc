"""Strangers at the web server's door who mean no good: nothing of theirs stays for long, nothing is told them, nobody else waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.fakes.web_centre import centre
from warnd.web.body import BodyLimit
from warnd.web.connections import bounded
from warnd.web.server import bind, serve


@asynccontextmanager
async def server(folder: Path, *, next_request_s: float = 30.0) -> AsyncIterator[int]:
    """Run the real server on a loopback port."""
    async with centre(folder) as built, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        kind = bounded(100, next_request_s=next_request_s)
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set, connection=kind))
        await started.wait()
        yield listening.getsockname()[1]
        serving.cancel()


HALF_BODY = (
    b"POST /api/v1/warnings/x/reject HTTP/1.1\r\nHost: w\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n{"
)


@pytest.mark.parametrize(
    "rest",
    [b"", b"GET / HTTP/1.1\r\nHost: w\r\nX: ", b"POST /none HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\nhalf"],
)
async def test_who_asked_once_and_then_only_half_is_let_go(tmp_path: Path, rest: bytes) -> None:
    async with server(tmp_path, next_request_s=0.05) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n" + rest)
        assert b"alive" in await reader.read()
        writer.close()


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def test_a_body_that_trickles_is_not_waited_for() -> None:
    trickled = asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await trickled.wait()

    app = BodyLimit(Starlette(routes=[Route("/", _echo, methods=["POST"])]), whole_s=0.02)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://w", timeout=10) as client:
        answered = await client.post("/", content=trickle())
        assert (answered.status_code, answered.headers["connection"]) == (408, "close")
        assert (await client.post("/", content=b"whole")).text == "whole"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"reason":"\xff\xfe"}', b'{"reason":' + b"1" * 10_000 + b"}", b'{"reason": "a"']
)
async def test_a_broken_json_body_is_told_what_to_send(tmp_path: Path, body: bytes) -> None:
    async with centre(tmp_path) as built, built.caller() as client:
        answered = await client.post(
            "/api/v1/warnings/x/reject", content=body, headers={"Content-Type": "application/json"}
        )
    assert answered.status_code in {400, 422}
    told = answered.json()
    assert told["detail"].endswith((".", "one."))
    assert "JSON" in told["detail"] or told["reasons"]
    assert "Traceback" not in answered.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/warnings/..%2f..%2fetc",
        "/api/v1/warnings/%00",
        "/api/v1/warnings/" + "a" * 41,
        "/api/v1/warnings/a%0d%0aX:y",
        "/w/..%2f..%2fetc%2fpasswd",
        "/w/%ed%a0%80",
        "/static/..%2fbase.html.j2",
        "/static/%2e%2e/index.html.j2",
        "/static/%00",
        "/feed/..xml",
        "/feed/%ff.xml",
        "/api/v1/warnings?cursor=AAAA",
        "/api/v1/warnings?cursor=WzEsMiwzXQ",
        "/api/v1/warnings?limit=99999999999999999999999",
        "/api/v1/terminals?cursor=WyJcdWQ4MDAiXQ",
    ],
)
async def test_an_odd_address_is_answered_and_leads_nowhere(tmp_path: Path, path: str) -> None:
    async with centre(tmp_path) as built, built.caller() as client:
        answered = await client.get(path)
    assert answered.status_code in {404, 422}
    assert "root:" not in answered.text
    assert "{%" not in answered.text
    assert "Traceback" not in answered.text


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /api/v1/warnings HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n<a/>xx",
        b"POST /api/v1/warnings HTTP/1.1\r\nHost: w\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        b"GET /w/\xff\xfe HTTP/1.1\r\nHost: w\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\xaa" * 190,
    ],
)
async def test_what_is_no_http_is_refused_and_the_next_visitor_is_served(tmp_path: Path, sent: bytes) -> None:
    async with server(tmp_path) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_nobody_reads_a_body_for_a_request_that_smuggles_another(tmp_path: Path) -> None:
    """RFC 9112 §6.1: with both lengths given, Transfer-Encoding counts, and the connection ends."""
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: w\r\n\r\n"
    head = b"POST /api/v1/warnings HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with server(tmp_path, next_request_s=0.2) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + smuggled)
        answers = await reader.read()
        writer.close()
    assert answers.startswith(b"HTTP/1.1 401")
