"""The few things of HTTP/1.1 that a text needs: whole answers whatever pieces they come in, and what is known of a call that got none."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.twilio.answer import AnswerError, Coming
from channels.sms.twilio.wire import NoLineError, Wire
from tests.fakes.certificate import write_certificate
from tests.ports import free_port

_REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"

GOOD = {
    "a length": (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", 201, b"ok", True),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nok", 200, b"ok", True),
    "more told than needed": (
        b"HTTP/1.1 201 C\r\nDate: a\r\nConnection: keep-alive\r\nDate: b\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        201,
        b"",
        True,
    ),
    "nothing in it": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "a farewell": (b"HTTP/1.1 429 X\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", 429, b"", False),
    "an old server": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "one of 1xx before it": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nok",
        201,
        b"ok",
        True,
    ),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n0A\r\nk123456789\r\n0\r\nX: y\r\n\r\n",
        200,
        b"ok123456789",
        True,
    ),
    "chunks without a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
        True,
    ),
    "more than it should": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200", 200, b"ok", False),
}
BAD = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n",
    "another version": b"HTTP/2 200\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "packed": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a chunk of no length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n",
    "a chunk of no end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 300,
    "a chunk that is longer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n",
    "too much": b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n",
    "too much in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nF424A\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    "too much until the end": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_001,
}


@given(name=st.sampled_from(sorted(GOOD)), cuts=st.lists(st.integers(0, 140), max_size=8))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(name: str, cuts: list[int]) -> None:
    told, status, body, lasts = GOOD[name]
    coming, answer = Coming(), None
    bounds = sorted({0, len(told), *(cut for cut in cuts if cut < len(told))})
    for begin, end in pairwise(bounds):
        answer = coming.fed(told[begin:end])
        if answer is not None:
            break
    assert answer is not None
    assert (answer.status, answer.body) == (status, body)
    assert answer.lasts == lasts or name == "more than it should"  # What comes later is an answer to nothing.


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_is_no_answer_is_told_apart(name: str) -> None:
    with pytest.raises(AnswerError):
        Coming().fed(BAD[name])


def test_headers_are_found_whatever_their_case_and_only_by_their_whole_name() -> None:
    answer = Coming().fed(b"HTTP/1.1 429 X\r\nX-Retry-After: 9\r\nRETRY-AFTER:  7 \r\nContent-Length: 0\r\n\r\n")
    assert answer is not None
    assert answer.told(b"retry-after") == "7"
    assert answer.told(b"date") is None


def test_an_answer_without_a_length_ends_with_its_connection_and_no_other_does() -> None:
    coming = Coming()
    assert coming.fed(b"HTTP/1.1 200 OK\r\n\r\nall") is None
    answer = coming.ended()
    assert answer is not None
    assert (answer.body, answer.lasts) == (b"all", False)
    cut = Coming()
    assert cut.fed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nall") is None
    assert cut.ended() is None


class _Server(asyncio.Protocol):
    """Answers each request with the next of `answers`: bytes, b"" = closes, None = stays silent."""

    def __init__(self, answers: list[bytes | None], made: list["_Server"]) -> None:
        self._answers, self._made = answers, made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._made.append(self)

    def data_received(self, data: bytes) -> None:
        assert data == _REQUEST
        answer = self._answers.pop(0)
        if answer == b"":
            self.transport.close()
        elif answer is not None:
            self.transport.write(answer)


@asynccontextmanager
async def _serving(*answers: bytes | None, timeout_s: float = 5) -> AsyncIterator[tuple[Wire, list[_Server]]]:
    made: list[_Server] = []
    told = list(answers)
    server = await asyncio.get_running_loop().create_server(lambda: _Server(told, made), "127.0.0.1", 0)
    with closing(server):
        wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=timeout_s, connections=2)
        try:
            yield wire, made
        finally:
            await wire.close()
            for each in made:
                each.transport.abort()


_OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
_LAST = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


async def test_a_connection_serves_call_after_call_until_the_server_takes_its_leave() -> None:
    async with _serving(_OK, _LAST, _OK) as (wire, made):
        for connections in (1, 1, 2):
            assert (await wire.call(_REQUEST)).body == b"ok"
            assert len(made) == connections


async def test_no_more_connections_are_open_than_were_asked_for() -> None:
    async with _serving(*[_OK] * 20) as (wire, made):
        answers = await asyncio.gather(*[wire.call(_REQUEST) for _ in range(20)])
        assert {one.status for one in answers} == {201}
        assert len(made) == 2


async def test_bytes_behind_an_answer_end_the_connection_that_brought_them() -> None:
    async with _serving(_OK + _OK, _OK) as (wire, made):
        assert (await wire.call(_REQUEST)).body == b"ok"
        assert (await wire.call(_REQUEST)).body == b"ok"
        assert len(made) == 2


async def test_a_call_that_is_cut_was_under_way() -> None:
    async with _serving(b"") as (wire, _):
        with pytest.raises(OSError, match="before the answer") as caught:
            await wire.call(_REQUEST)
        assert not isinstance(caught.value, NoLineError)


async def test_a_silent_server_is_left_in_time_and_its_late_answer_is_nobodys() -> None:
    async with _serving(None, _OK, timeout_s=0.2) as (wire, made):
        with pytest.raises(TimeoutError):
            await wire.call(_REQUEST)
        made[0].transport.write(_OK.replace(b"ok", b"no"))
        assert (await wire.call(_REQUEST)).body == b"ok"
        assert len(made) == 2


async def test_who_waits_for_a_turn_in_vain_has_sent_nothing() -> None:
    async with _serving(None, None, timeout_s=0.4) as (wire, _), asyncio.TaskGroup() as group:
        for _each in range(2):
            group.create_task(_given_up(wire))
        await asyncio.sleep(0)
        with pytest.raises(NoLineError, match="in time"):
            await wire.call(_REQUEST)


async def _given_up(wire: Wire) -> None:
    with pytest.raises(TimeoutError):
        await wire.call(_REQUEST)


@pytest.mark.parametrize("host", ["127.0.0.1", "a..b"])
async def test_where_nobody_is_nothing_left(host: str) -> None:
    wire = Wire(f"http://{host}:{free_port()}", timeout_s=5, connections=1)
    for _ in range(2):  # The turn is given back.
        with pytest.raises(NoLineError):
            await wire.call(_REQUEST)
    await wire.close()


@pytest.mark.parametrize("believed", [True, False])
async def test_over_tls_only_a_server_whose_certificate_is_believed_is_told_anything(
    *, believed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_certificate(tmp_path)
    terms = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    terms.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    if believed:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    made: list[_Server] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Server([_OK, _OK], made), "127.0.0.1", 0, ssl=terms)
    with closing(server):
        wire = Wire(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=5, connections=1)
        if believed:
            assert [(await wire.call(_REQUEST)).body for _ in range(2)] == [b"ok", b"ok"]
            assert len(made) == 1
        else:
            with pytest.raises(NoLineError, match="certificate"):
                await wire.call(_REQUEST)
        await wire.close()
        for each in made:
            each.transport.abort()
