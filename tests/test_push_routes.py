"""How browsers subscribe to a place: what is taken, what is refused and why, and that no flood of strangers gets through."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from channels.push import build as build_push
from channels.web import build as build_web
from tests.fakes.push import Browser, push_toml
from tests.fakes.web_centre import Centre, centre
from warnd.model.push import endpoint_allowed

VILLAGE, TOWNSHIP = "990101001001", "990101001000"
SERVICE = "push.example"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    builds = {"web": build_web, "push": build_push}
    async with centre(tmp_path, more=push_toml(tmp_path, service=SERVICE), build=builds) as made:
        yield made


@pytest.fixture
async def visitor(built: Centre) -> AsyncIterator[httpx.AsyncClient]:
    async with built.visitor() as client:
        yield client


@pytest.fixture
def browser() -> Browser:
    return Browser(f"https://fcm.{SERVICE}/send/1")


async def _rows(built: Centre) -> list[tuple[str, str, str]]:
    def op(conn: Connection) -> list[tuple[str, str, str]]:
        rows = conn.execute(text("SELECT address, region, lang FROM subscription ORDER BY no"))
        return [(str(json.loads(row.address)["endpoint"]), row.region, row.lang) for row in rows]

    return await built.ledger.read(op)


def _asked(browser: Browser, region: str = VILLAGE, **more: Any) -> dict[str, Any]:
    return {"subscription": browser.document, "region": region, "lang": "zh-CN"} | more


async def _delete(visitor: httpx.AsyncClient, **asked: str) -> httpx.Response:
    return await visitor.request("DELETE", "/push/subscriptions", json=asked)


async def test_a_browser_subscribes_changes_and_ends(
    built: Centre, visitor: httpx.AsyncClient, browser: Browser
) -> None:
    answered = await visitor.post("/push/subscriptions", json=_asked(browser))
    assert (answered.status_code, answered.json()) == (201, {"region": VILLAGE, "lang": "zh-CN"})
    await visitor.post("/push/subscriptions", json=_asked(browser, TOWNSHIP, lang="en"))
    assert await _rows(built) == [(browser.endpoint, VILLAGE, "en"), (browser.endpoint, TOWNSHIP, "en")]
    assert (await _delete(visitor, endpoint=browser.endpoint, region=VILLAGE)).status_code == 204
    assert await _rows(built) == [(browser.endpoint, TOWNSHIP, "en")]
    assert (await _delete(visitor, endpoint=browser.endpoint)).status_code == 204
    assert (await _delete(visitor, endpoint=browser.endpoint)).status_code == 204
    assert await _rows(built) == []


async def test_a_browser_that_moves_takes_its_places_along(
    built: Centre, visitor: httpx.AsyncClient, browser: Browser
) -> None:
    moved = replace(browser, endpoint=f"https://fcm.{SERVICE}/send/2")
    asked = {"subscription": moved.document, "instead_of": browser.endpoint}
    assert (await visitor.post("/push/subscriptions", json=asked)).status_code == 404
    for region in (VILLAGE, TOWNSHIP):
        await visitor.post("/push/subscriptions", json=_asked(browser, region))
    assert (await visitor.post("/push/subscriptions", json=asked)).status_code == 204
    assert await _rows(built) == [(moved.endpoint, VILLAGE, "zh-CN"), (moved.endpoint, TOWNSHIP, "zh-CN")]
    same = {"subscription": moved.document, "instead_of": moved.endpoint}
    assert (await visitor.post("/push/subscriptions", json=same)).status_code == 204
    assert len(await _rows(built)) == 2


async def test_the_key_is_that_of_the_channel(built: Centre, visitor: httpx.AsyncClient) -> None:
    channel: Any = built.daemon.channels["push"]
    assert (await visitor.get("/push/key")).json() == {"key": channel.key}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"region": "990101009999"}, "serves no region"),
        ({"region": "110000"}, "serves no region"),
        ({"region": ""}, "region is missing"),
        ({"region": 7}, "region is missing"),
        ({"lang": "x" * 36}, "lang is missing"),
        ({"lang": "zh\n"}, "lang is missing"),
        ({"subscription": None}, "no push subscription"),
        ({"subscription": {"endpoint": "https://fcm.push.example/1"}}, "no push subscription"),
        ({"subscription": {"endpoint": "https://fcm.push.example/1", "keys": {}}}, "keys are none"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_the_cause(
    built: Centre, visitor: httpx.AsyncClient, browser: Browser, change: dict[str, Any], cause: str
) -> None:
    answered = await visitor.post("/push/subscriptions", json=_asked(browser) | change)
    assert answered.status_code == 422
    assert cause in answered.json()["detail"]
    assert await _rows(built) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.push.example/1",
        "https://fcm.push.example:8443/1",
        "https://push.example.evil.example/1",
        "https://evilpush.example/1",
        "https://push.example@10.0.0.1/1",
        "https://10.0.0.1/push.example",
        "https://127.0.0.1/1",
        "https://[::1]/1",
        "https://localhost/1",
        "https://push.example:port/1",
        "file:///etc/passwd",
        "https://[push.example/1",
        "https://push.example/" + "x" * 2_000,
        "",
        "https://10.0.0.1\\.push.example/1",
        "https://10.0.0.1%2f.push.example/1",
        "https://10.0.0.1;.push.example/1",
        "https://10.0.0.1 .push.example/1",
        "https://10.0.0.1\n.push.example/1",
        "https://push.example/1\r\nX-More: 1",
        "https://push.example..../1",
        f"https://{'a' * 64}.push.example/1",
        f"https://{'a.' * 130}push.example/1",
    ],
)
async def test_nobody_can_make_the_daemon_call_an_address_of_their_choice(
    built: Centre, visitor: httpx.AsyncClient, endpoint: str
) -> None:
    answered = await visitor.post("/push/subscriptions", json=_asked(Browser(endpoint)))
    assert answered.status_code == 422
    assert "no address of a push service" in answered.json()["detail"]
    assert "10.0.0.1" not in answered.text
    assert await _rows(built) == []


def test_a_loopback_service_is_called_only_where_the_settings_name_it() -> None:
    assert endpoint_allowed("http://127.0.0.1:4711/1", ["127.0.0.1"])
    assert not endpoint_allowed("http://127.0.0.2:4711/1", ["127.0.0.1"])
    assert endpoint_allowed("https://web.push.apple.com./1", ["push.apple.com"])


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"[]", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff", JSON, 400),
        (b"[" * 4_000, JSON, 400),
        (b" " * 5_000 + b"{}", JSON, 413),
    ],
)
async def test_a_body_of_another_kind_or_size_is_refused(
    visitor: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    answered = await visitor.post("/push/subscriptions", content=content, headers=headers)
    assert (answered.status_code, answered.headers["content-type"]) == (status, "application/problem+json")


async def _flood(client: httpx.AsyncClient, most: int) -> int:
    """Return how many requests were let through before one was held up."""
    for count in range(most):
        if (await client.post("/push/subscriptions", content=b"", headers=JSON)).status_code != 400:
            return count
    return most


async def test_a_flood_is_held_up_and_ebbs(built: Centre, browser: Browser) -> None:
    through = []
    for number in range(3):
        async with built.visitor(host=f"2001:db8:0:{number}::1") as client:
            through.append(await _flood(client, 50))
    assert through == [40, 40, 20]
    async with built.visitor() as client:
        held_up = await client.post("/push/subscriptions", json=_asked(browser))
        assert (held_up.status_code, held_up.headers["retry-after"]) == (429, "60")
        built.clock.advance(1)
        assert (await client.post("/push/subscriptions", json=_asked(browser))).status_code == 201


async def test_one_network_cannot_keep_others_from_subscribing(
    built: Centre, visitor: httpx.AsyncClient, browser: Browser
) -> None:
    for host in ("2001:db8::1", "2001:db8::2"):
        async with built.visitor(host=host) as client:
            await _flood(client, 100)
    assert (await visitor.post("/push/subscriptions", json=_asked(browser))).status_code == 201


async def test_the_page_of_a_place_offers_it_and_other_pages_do_not(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get(f"/p/{VILLAGE}?lang=zh")).text
    assert f'<section id="subscribe" data-region="{VILLAGE}"' in page
    assert "接收这里的预警" in page
    assert "subscribe" not in (await visitor.get("/")).text
    for name in ("push.js", "push-worker.js"):
        script = await visitor.get(f"/static/{name}")
        assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_where_push_is_off_nothing_is_offered(tmp_path: Path) -> None:
    async with centre(tmp_path) as made, made.visitor() as client:
        assert "subscribe" not in (await client.get(f"/p/{VILLAGE}")).text
        assert (await client.get("/push/key")).status_code == 404
        assert (await client.post("/push/subscriptions", json={})).status_code == 404
