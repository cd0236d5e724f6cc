"""How the daemon fares, and who may know how exactly; the API's own documentation."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from channels.web.site import SitePage
from tests import stores
from tests.fakes.web_centre import Centre, centre
from warnd.ledger.store import open_ledger, upgrade
from warnd.web import create_app
from warnd.web.doors import Doors
from warnd.web.health import problems

LEAK = "not connected to the broker at 10.0.0.5:1883; check that it runs"


class Deaf(SitePage):
    """A channel on which nothing can leave, with an endpoint of its own."""

    name = "deaf"

    def problem(self) -> str | None:
        return LEAK

    def routes(self) -> Sequence[BaseRoute]:
        async def called(_request: Request) -> Response:
            return PlainTextResponse("called")

        return [Route("/receipts/deaf", called, methods=["POST"])]


class Lame(SitePage):
    """A channel on which everything leaves, though a part of it does not work."""

    name = "lame"

    def degraded(self) -> str | None:
        return LEAK


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


@pytest.fixture
async def ailing(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(
        tmp_path, build={"deaf": lambda _settings, context: Deaf(clock=context.clock, announce=context.announce)}
    ) as made:
        yield made


async def test_it_lives_and_is_ready(built: Centre) -> None:
    async with built.visitor() as client:
        assert (await client.get("/healthz")).text == "alive\n"
        answered = await client.get("/readyz")
        assert (answered.status_code, answered.json()["ready"], answered.json()["problems"]) == (200, True, [])


async def test_a_channel_on_which_nothing_leaves_makes_it_unready_by_name(ailing: Centre) -> None:
    async with ailing.visitor(host="127.0.0.1") as operator:
        answered = await operator.get("/readyz")
        assert (answered.status_code, answered.json()["problems"]) == (503, [f"deaf: {LEAK}"])
        assert (await operator.get("/healthz")).status_code == 200
    async with ailing.caller("read") as reader:
        assert (await reader.get("/readyz")).json()["problems"] == [f"deaf: {LEAK}"]
        status = (await reader.get("/api/v1/status")).json()
        assert (status["ready"], status["problems"], status["node"]) == (False, [f"deaf: {LEAK}"], "青河县预警中心")


async def test_strangers_learn_only_which_part_has_a_problem(ailing: Centre) -> None:
    async with ailing.visitor() as stranger:
        answered = await stranger.get("/readyz")
        assert (answered.status_code, answered.json()["problems"]) == (503, ["deaf"])
    async with ailing.visitor(host="127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"}) as proxied:
        assert (await proxied.get("/readyz")).json()["problems"] == ["deaf"]


async def test_what_fails_although_warnings_leave_is_told_and_leaves_it_ready(tmp_path: Path) -> None:
    build = {"lame": lambda _settings, context: Lame(clock=context.clock, announce=context.announce)}
    async with centre(tmp_path, build=build) as made:
        async with made.visitor(host="127.0.0.1") as operator:
            answered = await operator.get("/readyz")
            assert (answered.status_code, answered.json()["ready"]) == (200, True)
            assert answered.json()["degraded"] == [f"lame: {LEAK}"]
        async with made.visitor() as stranger:
            assert (await stranger.get("/readyz")).json()["degraded"] == ["lame"]
        async with made.caller("read") as reader:
            status = (await reader.get("/api/v1/status")).json()
            assert (status["ready"], status["degraded"]) == (True, [f"lame: {LEAK}"])


@stores.only("sqlite", "spoils a file")
async def test_a_spoilt_ledger_makes_it_unready_and_breaks_nothing_else(built: Centre, tmp_path: Path) -> None:
    (tmp_path / "warnd.sqlite").write_bytes(b"this was a store once " * 1000)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'warnd.sqlite'}")
    doors: Doors = built.daemon.app.state.doors
    app = create_app(
        ledger=ledger,
        desk=doors.desk,
        clock=doors.clock,
        bell=doors.bell,
        node=doors.node,
        public_url=doors.public_url,
        registry=CollectorRegistry(),
    )
    details = (
        r"ledger: .*database\. Free disk space, or see to the disk and the file's rights; warnd goes on by itself\."
    )
    for caller, shown in (("192.0.2.7", "ledger"), ("127.0.0.1", details)):  # Nobody's token can be looked up.
        transport = httpx.ASGITransport(app, client=(caller, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://warnd.example") as client:
            answered = await client.get("/readyz", headers={"Authorization": "Bearer anything"})
            (problem,) = answered.json()["problems"]
            assert answered.status_code == 503
            assert re.fullmatch(shown, problem)
            assert (await client.get("/healthz")).status_code == 200
    await ledger.close()


@stores.only("sqlite", "is about the disk under a file")
async def test_a_disk_that_is_almost_full_is_told_before_it_is(
    built: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the disk is feigned: filling a real one would harm whoever else is on it."""
    upgrade(f"sqlite:///{tmp_path / 'warnd.sqlite'}")
    ledger = open_ledger(f"sqlite:///{tmp_path / 'warnd.sqlite'}")
    doors = replace(built.daemon.app.state.doors, ledger=ledger)
    assert await problems(doors) == []
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=12_345_678))
    assert await problems(doors) == [
        "ledger: its disk is almost full: 12 MB are left. Free disk space; warnd goes on by itself."
    ]
    await ledger.close()


async def test_metrics_are_for_this_machine_and_for_tokens(built: Centre) -> None:
    async with built.visitor() as stranger:
        assert (await stranger.get("/metrics")).status_code == 401
    async with built.visitor(Authorization="Bearer wrong") as stranger:
        assert (await stranger.get("/metrics")).status_code == 401
    async with built.visitor(host="::1") as local, built.caller("read") as reader:
        for client in (local, reader):
            answered = await client.get("/metrics")
            assert answered.status_code == 200
            assert answered.headers["content-type"].startswith("text/plain")
            assert "# TYPE warnd_" in answered.text


async def test_a_channels_callbacks_are_mounted(ailing: Centre) -> None:
    async with ailing.visitor() as gateway:
        assert (await gateway.post("/receipts/deaf")).text == "called"


async def test_the_documentation_names_every_endpoint_of_the_contract_and_needs_no_internet(built: Centre) -> None:
    async with built.visitor() as client:
        page = (await client.get("/api/docs")).text
        document = (await client.get("/api/openapi.json")).json()
    contract = {
        "/api/v1/warnings": {"get", "post"},
        "/api/v1/warnings/preview": {"post"},
        "/api/v1/warnings/{warning_id}": {"get"},
        "/api/v1/warnings/{warning_id}/approve": {"post"},
        "/api/v1/warnings/{warning_id}/reject": {"post"},
        "/api/v1/warnings/{warning_id}/cancel": {"post"},
        "/api/v1/warnings/{warning_id}/coverage": {"get"},
        "/api/v1/warnings/{warning_id}/deliveries": {"get"},
        "/api/v1/warnings/{warning_id}/events": {"get"},
        "/api/v1/terminals": {"get"},
    }
    for path, methods in contract.items():
        assert methods <= document["paths"][path].keys(), path
        assert path in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    for schema in ("WarningDocument", "Coverage", "DeliveryDocument", "TerminalDocument", "Preview"):
        assert f'id="{schema}"' in page


async def test_the_openapi_document_refers_to_nothing_that_it_lacks_and_tells_errors_as_they_are(built: Centre) -> None:
    async with built.visitor() as client:
        text = (await client.get("/api/openapi.json")).text
        assert text == (await client.get("/api/openapi.json")).text
    document = json.loads(text)
    refs = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert refs <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in text
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["responses"]["422"]["content"].keys() == {"application/problem+json"}, path
