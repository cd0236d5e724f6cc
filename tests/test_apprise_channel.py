"""Chat services: what they truly answer counts, not what the library makes of it; one that hangs costs its own thread only."""

import asyncio
import gzip
import json
import resource
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from channels.apprise import AppriseChannel, build, overhear
from channels.apprise.codes import BODIES, HTTP, verdict
from channels.posting import Meaning
from tests.fakes.apprise import APPRISE_TOML
from tests.fakes.message import red_flood
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.running import Send, context, running
from tests.ports import free_port
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome, Outgoing, Text, Unknown
from warnd.clock import SystemClock
from warnd.settings import SettingsError, load

CLOCK = SystemClock()
WORDS = Text("zh", "柳河镇。请立即转移到高处。", subject="洪水红色预警")
NOW = CLOCK.now()
MESSAGE = red_flood(NOW)
ROBOTS = {
    "wecombot": ("wecombot://0123abcd-4567-89ef", "errcode", "errmsg"),
    "dingtalk": ("dingtalk://0123456789abcdef0123456789abcdef", "errcode", "errmsg"),
    "feishu": ("feishu://01234567-89ab-cdef", "code", "msg"),
    "lark": ("lark://abcdef-0123-abcd-efab-abcdefabcdef", "code", "msg"),
    "schan": ("schan://SCTabcdef0123", "code", "message"),
}


def _channel(folder: Path, toml: str = APPRISE_TOML) -> AppriseChannel:
    (folder / "warnd.toml").write_text(toml)
    made = build(load(folder / "warnd.toml", {}), context(CLOCK))
    assert made is not None
    return made


def _to(address: str, text: Text = WORDS, **more: Any) -> Outgoing:
    return Outgoing("a-1-1", MESSAGE, "officer", address, (text,), **more)


@pytest.fixture
async def chat() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def send(tmp_path: Path) -> AsyncIterator[Send]:
    services = json.dumps(["json", *ROBOTS])
    async with running(_channel(tmp_path, f"[apprise]\nservices = {services}\ntimeout_s = 1\n")) as sending:
        yield sending


@pytest.fixture
def answering(chat: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """Let what is meant for a service's own host reach our server: its name is written into the library."""
    real = requests.Session.send

    def sent(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        request.url = f"{chat.url}/{(request.url or '').partition('://')[2]}"
        return real(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", sent)
    return chat


async def test_title_and_text_arrive_and_the_link_stands_last(send: Send, chat: Receiver) -> None:
    address = f"json://127.0.0.1:{chat.port}/"
    assert await send(_to(address)) == Accepted()
    assert await send(_to(address, answer_url="https://warn.example/a/t.o")) == Accepted()
    plain, asked = (json.loads(one.body) for one in chat.taken)
    assert (plain["title"], plain["message"]) == ("洪水红色预警", "柳河镇。请立即转移到高处。")
    assert asked["message"] == "柳河镇。请立即转移到高处。\n确认收到：https://warn.example/a/t.o"


async def test_a_reader_of_another_language_is_asked_in_english(send: Send, chat: Receiver) -> None:
    await send(_to(f"json://127.0.0.1:{chat.port}/", Text("fr", "Eau."), answer_url="https://x/a/1"))
    assert json.loads(chat.taken[0].body)["message"] == "Eau.\nConfirm that you have read this: https://x/a/1"


async def test_no_words_of_a_warning_call_a_whole_group_or_become_markup(send: Send, chat: Receiver) -> None:
    said = 'Ask a@b.cn. @all @Everyone x@here @所有人 <!channel> <at user_id="all">x</at> <users/all> if h < 5 m'
    text = Text("en", said, subject="@all")
    assert await send(_to(f"json://127.0.0.1:{chat.port}/", text)) == Accepted()
    (heard,) = (json.loads(one.body) for one in chat.taken)
    assert heard["title"] == "@\u2060all"
    assert heard["message"] == (
        "Ask a@b.cn. @\u2060all @\u2060Everyone x@\u2060here @\u2060所有人 ＜!channel> "
        '＜at user_id="all">x＜/at> ＜users/all> if h < 5 m'
    )


def _expected(meaning: Meaning | None, reason: str) -> Outcome:
    outcomes: dict[str | None, Outcome] = {
        "accepted": Accepted(),
        "permanent": Failed(reason, retry="permanent"),
        "transient": Failed(reason),
        "throttled": Failed(reason, retry_after_s=9.0),
        "ambiguous": Unknown(reason),
    }
    return outcomes[meaning]


async def test_every_status_is_answered_as_its_table_says(send: Send, chat: Receiver) -> None:
    for status, meaning in HTTP.items():
        chat.answer(status, "", **({"Retry_After": "9"} if meaning == "throttled" else {}))
        outcome = await send(_to(f"json://127.0.0.1:{chat.port}/"))
        assert outcome == _expected(meaning, f"{status} from json"), status


@pytest.mark.parametrize("service", sorted(ROBOTS))
async def test_every_code_in_a_body_is_answered_as_its_table_says(
    send: Send, answering: Receiver, service: str
) -> None:
    """These services answer 200 and say in the body that they refuse; the library takes that for success."""
    address, field, words = ROBOTS[service]
    assert set(ROBOTS) == set(BODIES)
    for code, meaning in {0: "accepted", **BODIES[service].codes}.items():
        answering.answer(
            200, json.dumps({field: code, words: "as told"}), Content_Type="application/json", Retry_After="9"
        )
        outcome = await send(_to(address))
        expected = _expected(meaning, f"{code} as told")
        assert outcome == (Failed(f"{code} as told", retry_after_s=9.0) if meaning == "transient" else expected), code


@pytest.mark.parametrize(
    "said", ['{"errcode": 777777, "errmsg": "new"}', "{}", "[]", "ok", '{"errcode": "0"}', '{"errcode": true}']
)
async def test_a_code_that_nobody_published_is_tried_again_and_never_taken_for_success(
    send: Send, answering: Receiver, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answering.answer(200, said)
    outcome = await send(_to(ROBOTS["wecombot"][0]))
    assert isinstance(outcome, Failed)
    assert outcome.retry == "transient"
    shown = capsys.readouterr().out
    assert "chat_answer_unknown" in shown
    assert "0123abcd-4567-89ef" not in shown + outcome.reason


def test_words_that_no_store_keeps_are_left_out_of_a_reason() -> None:
    assert verdict("wecombot", 200, {"errcode": 40008, "errmsg": "bad\ud800 \0type"}).reason == "40008 bad   type"


async def test_a_status_that_nobody_published_is_tried_again(send: Send, chat: Receiver) -> None:
    chat.answer(418)
    assert await send(_to(f"json://127.0.0.1:{chat.port}/")) == Failed("418 from json")
    assert verdict("json", 299, None).meaning == "accepted"


async def test_a_redirect_is_not_followed(send: Send, chat: Receiver) -> None:
    chat.answer(307, Location=f"{chat.url}/elsewhere")
    assert isinstance(await send(_to(f"json://127.0.0.1:{chat.port}/")), Failed)
    assert [one.path for one in chat.asked] == ["/"]


async def test_silence_may_have_arrived_and_a_closed_door_has_not(send: Send, chat: Receiver) -> None:
    chat.hang()
    assert await send(_to(f"json://127.0.0.1:{chat.port}/")) == Unknown("json: ReadTimeout")
    closed = await send(_to(f"json://127.0.0.1:{free_port()}/"))
    assert closed == Failed("no connection to json: NewConnectionError")
    unresolved = await send(_to("json://no-such-host.invalid/"))
    assert isinstance(unresolved, Failed)
    assert unresolved.reason.startswith("no connection to json")


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("", "its address is no address of a chat service"),
        ("slack://a-secret", "its address names slack, which may not be used here"),
        ("json://127.0.0.1/?template=/etc/passwd", "its address has parameters that may not be set"),
    ],
)
async def test_an_address_that_is_no_longer_allowed_is_not_called(send: Send, address: str, cause: str) -> None:
    """It may have been imported under other settings."""
    assert await send(_to(address)) == Failed(cause, retry="permanent")


@contextmanager
def _dripping() -> Iterator[tuple[int, threading.Event]]:
    """A service that sends its answer drop by drop, until told to stop; give its port."""
    stopped = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stopped.wait(0.2):
                connection.sendall(b"x")

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,)).start()

    accepting = threading.Thread(target=serve)
    accepting.start()
    try:
        yield listening.getsockname()[1], stopped
    finally:
        stopped.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()


async def test_a_service_that_never_ends_its_answer_costs_its_own_thread_only(tmp_path: Path, chat: Receiver) -> None:
    def soon() -> float:
        return CLOCK.monotonic() + 0.1

    channel = _channel(tmp_path, APPRISE_TOML + "concurrency = 2\n")
    with _dripping() as (port, stopped):
        async with running(channel) as send:
            assert await send(_to(f"json://127.0.0.1:{port}/", start_by=soon())) == Unknown("no answer in time")
            assert await send(_to(f"json://127.0.0.1:{chat.port}/")) == Accepted()
            assert channel.problem() is None
            await send(_to(f"json://127.0.0.1:{port}/", start_by=soon()))
            assert "Every thread" in (channel.problem() or "")
            late = _to(f"json://127.0.0.1:{chat.port}/", start_by=soon())
            assert await send(late) == NOT_STARTED
            stopped.set()
            await until(lambda: channel.problem() is None)
            assert await send(_to(f"json://127.0.0.1:{chat.port}/")) == Accepted()


@pytest.mark.parametrize("pressed", [False, True])
async def test_an_answer_without_an_end_is_not_read_to_it(send: Send, *, pressed: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + (b"Content-Encoding: gzip\r\n" if pressed else b"") + b"\r\n"
    piece = gzip.compress(bytes(100 << 20)) if pressed else bytes(1 << 20)
    written = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        with suppress(ConnectionError):
            while not pressed or written == 0:
                writer.write(piece)
                await writer.drain()
                written += 1
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert await send(_to(f"json://127.0.0.1:{port}/")) == Unknown("json: RequestException")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # KiB.
    assert written < 20


async def test_others_who_use_the_same_http_library_are_not_overheard(chat: Receiver) -> None:
    await asyncio.to_thread(overhear._STAND_IN.post, chat.url, data=b"x", timeout=5)
    assert [one.body for one in chat.taken] == [b"x"]
    assert overhear._STAND_IN.codes is requests.codes


async def test_a_probe_calls_nobody_and_finds_a_service_that_does_not_exist(tmp_path: Path) -> None:
    (found,) = await _channel(tmp_path).probe()
    assert (found.wrong, "no service was called" in found.told) == (None, True)
    (found,) = await _channel(tmp_path, '[apprise]\nservices = ["wecombot", "nonsense"]\n').probe()
    assert found.wrong == "the library knows no nonsense. Take that out of apprise.services, or correct it."


def test_a_name_that_is_none_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no name of a service"):
        _channel(tmp_path, '[apprise]\nservices = ["wecombot://"]\n')
