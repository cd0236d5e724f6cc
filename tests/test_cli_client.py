"""Every way in which a daemon can fail to answer has its words and its exit code."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.fakes.api import FakeApi, fake_api
from tests.fakes.command import run

WARNING = {"id": "w1", "level": "red", "event": "洪水", "status": "Actual", "state": "dispatching"}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        yield served


def test_no_daemon_is_exit_3_and_names_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ran = run("status", WARND_URL=url)
    assert ran.code == 3
    assert url in ran.err
    assert "warnd serve" in ran.err
    assert "Traceback" not in ran.err


def test_something_else_on_the_port_is_exit_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_speak_no_http, args=(server,))
        thread.start()
        ran = run("status", WARND_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert ran.code == 3
    assert "Cannot reach" in ran.err


def _speak_no_http(server: socket.socket) -> None:
    conversation, _ = server.accept()
    with conversation:
        conversation.recv(4096)
        conversation.sendall(b"220 mail.example ESMTP\r\n")


def test_a_page_that_is_no_json_is_exit_3(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings", "<html>welcome to the proxy</html>")
    ran = run("status", WARND_URL=api.url)
    assert ran.code == 3
    assert "without a JSON object" in ran.err


def test_a_failing_daemon_is_exit_3(api: FakeApi) -> None:
    api.answer(
        "GET", "/api/v1/warnings/w1", {"title": "Internal Server Error", "detail": "the disk is full"}, status=500
    )
    ran = run("status", "w1", WARND_URL=api.url)
    assert ran.code == 3
    assert "the disk is full" in ran.err


def test_a_wrong_token_is_exit_1_and_says_what_to_do(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings", {"title": "Unauthorized", "detail": "unknown token"}, status=401)
    ran = run("status", WARND_URL=api.url, WARND_TOKEN="wrong")
    assert ran.code == 1
    assert "warnd token create" in ran.err
    assert api.asked[0].token == "Bearer wrong"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_usage(url: str) -> None:
    ran = run("status", WARND_URL=url)
    assert ran.code == 2
    assert "WARND_URL" in ran.err


def test_a_token_with_a_line_break_inside_is_usage() -> None:
    ran = run("status", WARND_TOKEN="abc\nX-Other: 1")
    assert ran.code == 2
    assert "WARND_TOKEN" in ran.err


def test_text_of_a_warning_cannot_steer_the_terminal(api: FakeApi) -> None:
    api.answer("GET", "/api/v1/warnings/w1", WARNING | {"headline": "flood \u009b2Jnow\u202e"})
    api.answer("GET", "/readyz", {"status": "ready"})
    ran = run("status", "w1", WARND_URL=api.url)
    assert "flood 2Jnow" in ran.out
    assert "\u009b" not in ran.out
    assert "\u202e" not in ran.out


@pytest.mark.parametrize("words", [("status", "../../admin"), ("approve", "w 1"), ("coverage", "x" * 41)])
def test_what_is_no_id_never_reaches_the_daemon(api: FakeApi, words: tuple[str, ...]) -> None:
    ran = run(*words, WARND_URL=api.url)
    assert ran.code == 2
    assert api.asked == []
