"""Live streams and the server itself, over real connections."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from tests.fakes.clock import HandClock
from tests.fakes.web_centre import CAP_TYPE, centre, flood
from tests.fakes.web_streams import Served, at_port
from tests.waiting import until
from warnd.bell import Bell
from warnd.web import CannotListen, bind, serve
from warnd.web.connections import bounded, most
from warnd.web.sse import EventStream, Streams, event


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with at_port(tmp_path) as made:
        yield made


async def test_an_open_page_is_told_of_a_release_within_a_second(served: Served) -> None:
    async with served.stream("/events") as events:
        first = json.loads((await events.named("site"))["data"])
        assert first["warnings"] == []
        warning_id = await served.built.release(flood())
        told = json.loads((await events.named("site"))["data"])
        assert told["warnings"] == [warning_id]
        assert told["version"] != first["version"]
        async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
            assert f'data-version="{told["version"]}"' in (await client.get("/")).text


async def test_a_warnings_stream_tells_its_document_and_goes_on_after_the_last_event(served: Served) -> None:
    warning_id = await served.built.release(flood())
    token = {"Authorization": "Bearer centre"}
    async with served.stream(f"/api/v1/warnings/{warning_id}/events", **token) as events:
        assert events.answered.headers["content-type"].startswith("text/event-stream")
        received = await events.next()
        assert received["event"] == "warning.received"
        assert json.loads((await events.named("warning"))["data"])["state"] == "dispatching"
        async with httpx.AsyncClient(base_url=served.url, headers=token, trust_env=False) as client:
            asked = {"kind": "lift", "reason": "over"}
            assert (await client.post(f"/api/v1/warnings/{warning_id}/cancel", json=asked)).status_code == 201
        moved = await events.named("warning.moved")
        assert json.loads(moved["data"])["data"]["new"] == "cancelled"
        assert json.loads((await events.named("warning"))["data"])["state"] == "cancelled"
    headers = {**token, "Last-Event-ID": received["id"]}
    async with served.stream(f"/api/v1/warnings/{warning_id}/events", **headers) as events:
        assert int((await events.next())["id"]) > int(received["id"])
    for rubbish in ("x", "-1", "9" * 400, "1.5"):
        async with served.stream(
            f"/api/v1/warnings/{warning_id}/events", **{**token, "Last-Event-ID": rubbish}
        ) as events:
            assert (await events.next())["id"] == received["id"]


async def test_streams_are_bounded_and_given_back(served: Served) -> None:
    async with served.stream("/events") as events:
        await events.next()
        assert served.doors.site_streams.count == 1
    await until(lambda: served.doors.site_streams.count == 0)
    warning_id = await served.built.release(flood())
    for streams, path in (
        (served.doors.site_streams, "/events"),
        (served.doors.api_streams, f"/api/v1/warnings/{warning_id}/events"),
    ):
        streams.count = 1_000_000
        async with httpx.AsyncClient(
            base_url=served.url, headers={"Authorization": "Bearer centre"}, trust_env=False
        ) as client:
            assert (await client.get(path)).status_code == 503
        streams.count = 0


async def test_a_head_request_for_a_stream_ends_at_once(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
        answered = await client.head("/events")
    assert (answered.status_code, answered.content) == (200, b"")


async def test_a_server_that_stops_ends_its_streams_and_answers_what_is_under_way(tmp_path: Path) -> None:
    async with centre(tmp_path) as built:
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        started = asyncio.Event()
        async with asyncio.TaskGroup() as group, asyncio.timeout(10):
            serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
            await started.wait()
            async with Served(built, f"http://127.0.0.1:{port}").stream("/events") as events:
                await events.named("site")
                serving.cancel()
                assert [line async for line in events._lines] == []
            await asyncio.wait({serving})
        with socket.create_server(("127.0.0.1", port)):
            """The port is free again."""


def test_a_taken_address_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}.*http\.listen"):
            bind("127.0.0.1", port)
    with pytest.raises(CannotListen, match=r"nowhere\.invalid"):
        bind("nowhere.invalid", 0)


async def test_a_body_that_is_too_large_is_answered_while_it_is_still_coming(served: Served) -> None:
    """Sent by hand: a client that only writes must still get its answer."""
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /api/v1/warnings HTTP/1.1\r\nHost: w\r\nAuthorization: Bearer centre\r\n"
    writer.write(f"{head}Content-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    async with asyncio.timeout(10):
        for _ in range(40):
            writer.write(chunk)
        assert b" 413 " in await reader.readline()
        assert served.doors.api_streams.count == 0
    writer.close()


async def test_an_ordinary_client_learns_that_its_document_is_too_large(served: Served) -> None:
    async with httpx.AsyncClient(
        base_url=served.url, headers={"Authorization": "Bearer centre"}, trust_env=False
    ) as client:
        answered = await client.post("/api/v1/warnings", content=b"x" * 3_000_000, headers=CAP_TYPE)
        assert answered.status_code == 413
        assert (await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)).status_code == 201


@pytest.mark.parametrize(
    "line", [b"hello there\r\n\r\n", b"\x00\xff\r\n\r\n", b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n"]
)
async def test_what_is_no_http_is_turned_away_and_others_go_on(served: Served, line: bytes) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(line)
    async with asyncio.timeout(10):
        assert b"400" in await reader.readline()
    writer.close()
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
        assert (await client.get("/healthz")).status_code == 200


class Wire:
    """One side of a connection, steered by the test."""

    def __init__(self, *, stuck_after: int = 10**9) -> None:
        self.sent: list[bytes] = []
        self.gone = asyncio.Event()
        self._stuck_after = stuck_after

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) >= self._stuck_after:
            await asyncio.Event().wait()
        self.sent.append(message.get("body", b""))


async def _speak(streams: Streams, wire: Wire, told: list[bytes]) -> None:
    async def look() -> bytes:
        return told.pop(0) if told else b""

    scope: dict[str, Any] = {"type": "http", "method": "GET"}
    async with asyncio.timeout(10):
        await EventStream(streams, look)(scope, wire.receive, wire.send)


async def test_a_client_that_does_not_read_is_dropped() -> None:
    streams = Streams(most=1, bell=Bell(), clock=HandClock(), slow_s=0.01)
    wire = Wire(stuck_after=2)
    await _speak(streams, wire, [event("a", data="1")] * 5)
    assert len(wire.sent) == 2
    assert streams.count == 0


async def test_a_silent_stream_still_says_that_it_is_there() -> None:
    streams = Streams(most=1, bell=Bell(), clock=HandClock(), heartbeat_s=0.001)
    wire = Wire()
    async with asyncio.TaskGroup() as group:
        group.create_task(_speak(streams, wire, []))
        await until(lambda: wire.sent.count(b": still here\n\n") >= 3)
        wire.gone.set()
    assert streams.count == 0


async def test_a_ring_while_looking_is_not_missed() -> None:
    bell = Bell()
    streams = Streams(most=1, bell=bell, clock=HandClock(), heartbeat_s=60)
    wire = Wire()
    looks = 0

    async def look() -> bytes:
        nonlocal looks
        looks += 1
        if looks == 1:
            bell.ring()  # The ledger changes just after this look has read it.
            return b""
        return event("late", data="1") if looks == 2 else b""

    async with asyncio.TaskGroup() as group:
        group.create_task(EventStream(streams, look)({"type": "http", "method": "GET"}, wire.receive, wire.send))
        await until(lambda: event("late", data="1") in wire.sent)
        wire.gone.set()


async def test_the_bell_wakes_everyone_and_remembers_how_often_it_rang() -> None:
    bell = Bell()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(bell.wait(10)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.ring()
    assert [task.result() for task in waiting] == [True] * 3
    assert not await bell.wait(0.001)
    assert not await bell.wait(0.001, since=1)
    assert await bell.wait(10, since=0)


@asynccontextmanager
async def bounded_server(tmp_path: Path, *, limit: int, first_request_s: float) -> AsyncIterator[int]:
    async with centre(tmp_path) as built, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        kind = bounded(limit, first_request_s=first_request_s)
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set, connection=kind))
        await started.wait()
        yield listening.getsockname()[1]
        serving.cancel()


async def test_connections_are_bounded_and_a_place_that_becomes_free_is_given_again(tmp_path: Path) -> None:
    reserved_for_this_machine = 64
    async with (
        bounded_server(tmp_path, limit=-reserved_for_this_machine + 2, first_request_s=60) as port,
        asyncio.timeout(10),
    ):
        first, second, third = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await _is_closed(third[0])
        first[1].write(b"GET /healthz HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
        assert b"alive" in await first[0].read()
        again = await asyncio.open_connection("127.0.0.1", port)
        again[1].write(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n")
        assert b"200" in await again[0].readline()
        for _, writer in (first, second, third, again):
            writer.close()


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: w\r\nX: "])
async def test_who_connects_and_does_not_ask_is_let_go(tmp_path: Path, said: bytes) -> None:
    async with bounded_server(tmp_path, limit=100, first_request_s=0.05) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await _is_closed(reader)
        writer.close()


def test_visitors_never_get_more_than_half_of_the_files() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= most() <= max(16, soft // 2)
