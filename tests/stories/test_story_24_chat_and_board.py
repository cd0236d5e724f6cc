"""Scenario 24, with real servers: an officer who has only a chat confirms by the link in it; the board is told, and told of the end."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy

from tests.fakes.receiver import Receiver, receiver
from tests.fakes.served import Served, serving
from tests.fakes.webhook import SECRET, verified
from tests.ports import free_port
from tests.simulation.county import TOWNSHIPS, VILLAGES, found
from tests.simulation.documents import document, flood
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed

_PLAN = """
[[plan]]
name = "any"
levels = ["red", "orange", "yellow", "blue"]
statuses = ["Actual"]
cancel_tries = 1
cancel_wait_s = 60

[plan.village]
terminal = "either"
bare = "officer"

[plan.loudspeaker]
repeat = 1

[[plan.audience]]
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
channels = ["apprise", "sms"]
proof = "acknowledged"
tries = 2
wait_s = 600
"""
_SETTINGS = """
plans_file = "plans.toml"
http.listen = "127.0.0.1:{port}"
store.url = "{store}"
apprise.services = ["json"]

[webhook.endpoints.board]
url = "{url}/board"
secret_file = "board.secret"
"""
_OFFICER = f"officer-{VILLAGES[0]}"


def _county(folder: Path, chat: Receiver, port: int) -> None:
    (folder / "plans.toml").write_text(_PLAN)
    (folder / "board.secret").write_text(SECRET)
    (folder / "warnd.toml").write_text(_SETTINGS.format(port=port, url=chat.url, store=store_url(folder)))
    store = store_url(folder)
    found(store, folder, clock=SystemClock())
    engine = open_engine(store)
    with engine.begin() as conn:
        create(conn, token_hash=hashed("centre"), scope="release", now=SystemClock().now())
        # One officer has a chat and nothing else.
        moved = "UPDATE recipient_version SET phone = NULL, apprise = :chat WHERE recipient_no = (SELECT no FROM recipient WHERE id = :id)"
        conn.execute(sqlalchemy.text(moved), {"chat": f"json://127.0.0.1:{chat.port}/chat", "id": _OFFICER})
    engine.dispose()


def _taken(chat: Receiver, path: str) -> list[Any]:
    return [verified(one) if path == "/board" else json.loads(one.body) for one in chat.taken if one.path == path]


async def _eventually(ask: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(600):
        if await ask():
            return
    raise AssertionError("it never came about")


async def _story(client: httpx.AsyncClient, chat: Receiver) -> None:
    headers = {"Content-Type": "application/cap+xml"}
    alert = flood(codes=(TOWNSHIPS[0],), sent=SystemClock().now())
    answered = await client.post("/api/v1/warnings", content=document(alert), headers=headers)
    assert answered.status_code == 201, answered.text
    warning_id = answered.json()["id"]
    await until(lambda: _taken(chat, "/chat") and _taken(chat, "/board"))
    (told,), (posted,) = _taken(chat, "/chat"), _taken(chat, "/board")
    assert posted["type"] == "warning.alert"
    assert posted["data"]["id"] == warning_id
    assert told["title"] == "洪水红色预警"
    link = re.search(r"确认收到：(\S+/a/\S+)$", told["message"])
    assert link is not None

    await client.get(link[1])
    listed = f"/api/v1/warnings/{warning_id}/deliveries"
    delivery = (await client.get(listed, params={"recipient": _OFFICER})).json()["deliveries"][0]
    assert delivery["evidence"] == "accepted"
    assert delivery["legs"][0]["address_masked"] == "json://*****"
    assert (await client.post(link[1])).status_code == 200

    async def answered_in_full() -> bool:
        shown = (await client.get(listed, params={"recipient": _OFFICER})).json()["deliveries"][0]
        return (shown["evidence"], shown["state"]) == ("acknowledged", "satisfied")

    await _eventually(answered_in_full)
    ended = await client.post(f"/api/v1/warnings/{warning_id}/cancel", json={"kind": "lift", "reason": "水位已退"})
    assert ended.status_code == 201, ended.text
    await until(lambda: len(_taken(chat, "/chat")) == 2 and len(_taken(chat, "/board")) == 2)
    assert _taken(chat, "/board")[1]["type"] == "warning.cancel"
    over = _taken(chat, "/chat")[1]
    assert over["title"] == "解除：洪水红色预警"
    assert "/a/" not in over["message"]


async def test_an_officer_confirms_from_a_chat_and_the_board_hears_of_the_end(tmp_path: Path) -> None:
    port = free_port()
    async with receiver() as chat:
        _county(tmp_path, chat, port)
        log = tmp_path / "log"
        async with serving(tmp_path / "warnd.toml", port=port, log=log) as served, _client(served) as client:
            await _story(client, chat)
        written = log.read_text()
        assert f"{chat.port}/chat" not in written
        assert "/a/" not in written


def _client(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, headers={"Authorization": "Bearer centre"}, timeout=10)
