"""Webhooks: signed as Standard Webhooks says, understood by its own verifier; every status means something; nobody is followed anywhere."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from channels.webhook import WebhookChannel, build
from channels.webhook.body import EMBEDDED_MAX, body
from channels.webhook.statuses import _BY_STATUS, meaning
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.running import Send, context, running
from tests.fakes.web_centre import EN, FLOOD, ZH, after, flood
from tests.fakes.webhook import SECRET, verified
from tests.ports import free_port
from warnd.channel import Accepted, Failed, Message, Outcome, Outgoing, Text, Unknown
from warnd.clock import SystemClock
from warnd.model import cap
from warnd.model.level import Level
from warnd.settings import SettingsError, load

NEXT = "whsec_" + base64.b64encode(b"the secret that will follow").decode()
CLOCK = SystemClock()


def _message(document: bytes | None = None, **changes: Any) -> Message:
    now = CLOCK.now()
    values: dict[str, Any] = {
        "id": "m1",
        "chain_id": "m1",
        "seq": 1,
        "kind": "warning",
        "drill": False,
        "status": "Actual",
        "level": Level.RED,
        "event": "洪水",
        "headline": "青河县气象台发布洪水红色预警",
        "area": "第1乡",
        "issued_at": now,
        "expires_at": now + timedelta(hours=1),
        "document": document or flood(),
    }
    return Message(**(values | changes))


def _outgoing(message: Message | None = None, *, to: str = "webhook:board", attempt: str = "a-1-1") -> Outgoing:
    return Outgoing(attempt, message or _message(), None, to, (Text("", "x"),))


def _build(folder: Path, url: str, *, more: str = "") -> WebhookChannel:
    (folder / "one").write_text(SECRET)
    (folder / "two").write_text(NEXT)
    (folder / "warnd.toml").write_text(
        '[http]\npublic_url = "https://warn.example"\n[webhook]\ntimeout_s = 1\n'
        f'[webhook.endpoints.board]\nurl = "{url}"\nsecret_file = "one"\n{more}'
    )
    made = build(load(folder / "warnd.toml", {}), context(CLOCK))
    assert made is not None
    return made


@pytest.fixture
async def taking() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def send(taking: Receiver, tmp_path: Path) -> AsyncIterator[Send]:
    async with running(_build(tmp_path, f"{taking.url}/in")) as sending:
        yield sending


async def test_a_post_says_who_must_do_what_where_and_is_signed(send: Send, taking: Receiver) -> None:
    message = _message()
    assert await send(_outgoing(message)) == Accepted("m1-board")
    (one,) = taking.taken
    said: Any = verified(one)
    assert (one.path, one.headers["webhook-id"], one.headers["content-type"]) == ("/in", "m1-board", "application/json")
    assert said["type"] == "warning.alert"
    data = said["data"]
    assert cap.parse(data.pop("cap").encode()).identifier == "flood-1"
    assert data == {
        "id": "m1",
        "chain_id": "m1",
        "seq": 1,
        "sender": "flood@qinghe.example",
        "identifier": "flood-1",
        "sent": said["timestamp"],
        "status": "Actual",
        "msg_type": "Alert",
        "level": "red",
        "event": "洪水",
        "headline": "青河县气象台发布洪水红色预警",
        "areas": ["第1乡", "Township 1"],
        "expires": message.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "url": "https://warn.example/w/m1",
        "cap_url": "https://warn.example/feed/m1.xml",
    }


@pytest.mark.parametrize(("msg_type", "kind"), [("Update", "warning"), ("Cancel", "cancel")])
async def test_what_follows_an_alert_says_so(send: Send, taking: Receiver, msg_type: str, kind: str) -> None:
    document = after("flood-2", msg_type, "flood-1", infos=() if msg_type == "Cancel" else (ZH, EN))
    await send(_outgoing(_message(document, id="m2", seq=2, kind=kind)))
    said: Any = verified(taking.taken[0])
    assert said["type"] == f"warning.{msg_type.lower()}"
    assert said["data"]["chain_id"] == "m1"
    assert said["data"]["areas"] == (["第1乡"] if msg_type == "Cancel" else ["第1乡", "Township 1"])


async def test_a_retry_keeps_its_id_and_its_bytes(send: Send, taking: Receiver) -> None:
    """So a receiver knows that it has it already."""
    message = _message()
    await send(_outgoing(message, attempt="a-1-1"))
    await send(_outgoing(message, attempt="a-1-2"))
    first, second = taking.taken
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


async def test_a_changed_byte_or_another_secret_is_found_out(send: Send, taking: Receiver) -> None:
    await send(_outgoing())
    (one,) = taking.taken
    with pytest.raises(WebhookVerificationError):
        verified(replace(one, body=one.body.replace(b"red", b"blue")))
    with pytest.raises(WebhookVerificationError):
        verified(one, secret=NEXT)


async def test_while_a_secret_changes_both_verify(taking: Receiver, tmp_path: Path) -> None:
    async with running(_build(tmp_path, taking.url, more='next_secret_file = "two"\n')) as send:
        await send(_outgoing())
    (one,) = taking.taken
    assert verified(one, secret=SECRET) == verified(one, secret=NEXT)
    assert len(one.headers["webhook-signature"].split(" ")) == 2


def _expected(status: int) -> Outcome:
    reason = f"{status} why"
    match meaning(status):
        case "accepted":
            return Accepted("m1-board")
        case "permanent":
            return Failed(reason, retry="permanent")
        case "ambiguous":
            return Unknown(reason)
    return Failed(reason, retry_after_s=7.0)


async def test_every_status_is_answered_as_its_table_says(send: Send, taking: Receiver) -> None:
    bodiless = {204, 205, 304}
    for status in [each.value for each in HTTPStatus if each.value >= 200 and each.value not in bodiless] + [
        299,
        499,
        599,
    ]:
        taking.answer(status, "why", Retry_After="7")
        assert await send(_outgoing()) == _expected(status), status


def test_the_table_of_statuses_is_what_its_page_says() -> None:
    assert {status: meaning(status) for status in _BY_STATUS} == {
        410: "permanent",
        413: "permanent",
        429: "throttled",
        503: "throttled",
        502: "ambiguous",
        504: "ambiguous",
    }
    assert {meaning(status) for status in range(200, 300)} == {"accepted"}
    assert {meaning(status) for status in (301, 400, 401, 403, 404, 500, 600, 999)} == {"transient"}


async def test_a_redirect_is_not_followed(send: Send, taking: Receiver) -> None:
    """Its target would be somebody whom nobody named in the settings."""
    taking.answer(307, Location=f"{taking.url}/elsewhere")
    assert await send(_outgoing()) == Failed("307")
    assert [one.path for one in taking.asked] == ["/in"]


@pytest.mark.parametrize(
    ("given", "wait_s"),
    [("120", 120.0), ("999999999999", 3600.0), ("soon", None), ("-5", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
async def test_retry_after_is_kept_within_an_hour(
    send: Send, taking: Receiver, given: str, wait_s: float | None
) -> None:
    taking.answer(503, "busy", Retry_After=given)
    assert await send(_outgoing()) == Failed("503 busy", retry_after_s=wait_s)


async def test_silence_may_have_arrived_and_a_closed_door_has_not(send: Send, taking: Receiver, tmp_path: Path) -> None:
    taking.hang()
    assert await send(_outgoing()) == Unknown("no answer within 1 s")
    async with running(_build(tmp_path, f"http://127.0.0.1:{free_port()}")) as sending:
        outcome = await sending(_outgoing())
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("no connection: ")
    assert outcome.retry == "transient"


async def test_a_long_answer_is_read_no_further_than_needed(send: Send, taking: Receiver) -> None:
    taking.answer(500, "x" * 5_000_000)
    assert await send(_outgoing()) == Failed("500 " + "x" * 120)


async def test_no_reason_shows_the_address_for_its_end_may_be_a_secret(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/s3cret"
        async with running(_build(tmp_path, url)) as send:
            outcome = await send(_outgoing())
    assert isinstance(outcome, Unknown)
    assert "s3cret" not in outcome.reason


async def test_an_endpoint_that_left_the_settings_and_a_drill_fail_for_good(send: Send, taking: Receiver) -> None:
    for outgoing in (_outgoing(to="webhook:gone"), _outgoing(_message(drill=True, status="Exercise"))):
        outcome = await send(outgoing)
        assert isinstance(outcome, Failed)
        assert outcome.retry == "permanent"
    assert taking.asked == []


def test_a_very_large_document_is_left_to_be_fetched() -> None:
    long = replace(ZH, description="泄" * EMBEDDED_MAX)
    large = _message(cap.write(replace(FLOOD, infos=(long,))))
    said = json.loads(body(large, public_url="https://warn.example"))["data"]
    assert (said["cap"], said["cap_url"]) == (None, "https://warn.example/feed/m1.xml")
    assert json.loads(body(_message(), public_url=None))["data"]["url"] is None


async def test_a_probe_connects_and_posts_nothing(taking: Receiver, tmp_path: Path) -> None:
    (found,) = await _build(tmp_path, taking.url).probe()
    assert (found.about, found.wrong) == (f"webhook board at 127.0.0.1:{taking.port}", None)
    assert taking.asked == []
    (found,) = await _build(tmp_path, f"http://127.0.0.1:{free_port()}").probe()
    assert (found.wrong or "").startswith("Connection refused. See to the receiver")
    (found,) = await _build(tmp_path, f"https://{'x' * 64}.example").probe()
    assert "is no host name. See to the receiver" in (found.wrong or "")


@pytest.mark.parametrize(
    ("url", "secret", "cause"),
    [
        ("http://example.org/in", SECRET, '"http://example.org/in" is not https.'),
        ("ftp://example.org", SECRET, "is not https"),
        ("https://user:word@example.org", SECRET, "it should be a web address"),
        ("example.org", SECRET, "it should be a web address"),
        ("https://example.org", "whsec_c2hvcnQ=", "It holds no signing secret"),
        ("https://example.org", SECRET.removeprefix("whsec_"), "It holds no signing secret"),
        ("https://example.org", "whsec_!!!", "It holds no signing secret"),
    ],
)
def test_a_receiver_that_cannot_be_meant_is_refused_at_start(tmp_path: Path, url: str, secret: str, cause: str) -> None:
    (tmp_path / "one").write_text(secret)
    (tmp_path / "warnd.toml").write_text(f'[webhook.endpoints.board]\nurl = "{url}"\nsecret_file = "one"\n')
    with pytest.raises(SettingsError, match="webhook") as caught:
        load(tmp_path / "warnd.toml", {})
    assert cause in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_an_endpoint_needs_a_plain_name(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(SECRET)
    (tmp_path / "warnd.toml").write_text('[webhook.endpoints."a b"]\nurl = "https://x.example"\nsecret_file = "one"\n')
    with pytest.raises(SettingsError, match="cannot name an endpoint"):
        load(tmp_path / "warnd.toml", {})
