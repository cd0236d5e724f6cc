"""Recordings come from allow-listed hosts only, whole, unredirected, and are what was signed (DESIGN §9)."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fakes.loudspeaker import NOW, PLAY
from tests.fakes.manual_clock import ManualClock
from tests.fakes.speaking import tone_mp3
from tests.fakes.village import TenSeconds, full_disk
from warnd.clock import SystemClock
from warnd.model.loudspeaker import Amplifier, Audio, Speech, Why
from warnd.terminal import mp3
from warnd.terminal.output import Nowhere
from warnd.terminal.recordings import AUDIO_MAX_BYTES, RecordingError, Recordings
from warnd.terminal.speaker import Speaker
from warnd.terminal.wave import chime

WAVE = chime(drill=False).wave
SPOKEN = tone_mp3(800)


class _Studio(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - one server for one test at a time

    def do_GET(self) -> None:
        self.asked.append(self.path)
        answers = {
            "/good.wav": (200, {}, WAVE),
            "/good.wav?a=b": (200, {}, WAVE),
            "/moved": (302, {"Location": "/good.wav"}, b""),
            "/missing": (404, {}, b""),
            "/long": (200, {}, b"x" * (AUDIO_MAX_BYTES + 1)),
            "/most": (200, {}, b"x" * AUDIO_MAX_BYTES),
            "/short": (200, {"Content-Length": "100"}, b"x"),
        }
        code, headers, body = answers[self.path]
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # The terminal hung up on too much.

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the standard library gives it
        """Keep the test's output quiet."""


@contextmanager
def studio() -> Iterator[str]:
    """Serve recordings and yield the address."""
    _Studio.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Studio)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with studio() as address:
        yield address


def audio(url: str, content: bytes = WAVE) -> Audio:
    return Audio(url, hashlib.sha256(content).hexdigest(), 1200)


def recordings(folder: Path, *hosts: str) -> Recordings:
    return Recordings(folder, hosts=hosts, clock=SystemClock())


async def refusal(folder: Path, wanted: Audio, *hosts: str) -> Why:
    with pytest.raises(RecordingError) as refused:
        await recordings(folder, *hosts).get(wanted)
    return refused.value.reason


async def test_a_recording_from_an_allowed_host_is_fetched_once_and_kept(tmp_path: Path, address: str) -> None:
    _Studio.asked.clear()
    for hosts in (("127.0.0.1",), (address.removeprefix("http://"),), ()):
        assert await recordings(tmp_path, *hosts).get(audio(f"{address}/good.wav?a=b")) == WAVE
    assert _Studio.asked == ["/good.wav?a=b"]


async def test_no_other_host_is_ever_asked(tmp_path: Path, address: str) -> None:
    _Studio.asked.clear()
    url = f"{address}/good.wav"
    assert await refusal(tmp_path, audio(url)) is Why.AUDIO_FETCH
    assert await refusal(tmp_path, audio(url), "studio.example", "127.0.0.1:1") is Why.AUDIO_FETCH
    assert _Studio.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "//127.0.0.1/a",
        "127.0.0.1/a",
        "http://127.0.0.1@evil.example/a",
        "http://user@127.0.0.1/a",
        "http://127.0.0.1:notaport/a",
        "http://127.0.0.1/a\r\nX: y",
        "http://[::1/a",
        "",
    ],
)
async def test_an_address_that_is_not_plain_http_is_refused(tmp_path: Path, url: str) -> None:
    assert await refusal(tmp_path, audio(url), "127.0.0.1", "evil.example") is Why.AUDIO_FETCH


@pytest.mark.parametrize("path", ["/moved", "/missing", "/long", "/short"])
async def test_redirects_errors_and_what_is_too_long_or_too_short_are_refused(
    tmp_path: Path, address: str, path: str
) -> None:
    assert await refusal(tmp_path, audio(f"{address}{path}"), "127.0.0.1") is Why.AUDIO_FETCH


async def test_5_mib_are_taken(tmp_path: Path, address: str) -> None:
    most = b"x" * AUDIO_MAX_BYTES
    assert await recordings(tmp_path, "127.0.0.1").get(audio(f"{address}/most", most)) == most


async def test_what_is_not_what_was_signed_is_refused_and_not_kept(tmp_path: Path, address: str) -> None:
    assert await refusal(tmp_path, audio(f"{address}/good.wav", b"other"), "127.0.0.1") is Why.AUDIO_HASH
    assert await refusal(tmp_path, audio(f"{address}/good.wav", b"other")) is Why.AUDIO_FETCH  # So it was not kept.


async def test_a_host_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert await refusal(tmp_path, audio("http://127.0.0.1:1/a"), "127.0.0.1") is Why.AUDIO_FETCH


async def test_a_kept_recording_that_rotted_is_fetched_again(tmp_path: Path, address: str) -> None:
    wanted = audio(f"{address}/good.wav")
    (tmp_path / wanted.sha256).write_bytes(b"rotten")
    assert await recordings(tmp_path, "127.0.0.1").get(wanted) == WAVE


async def test_a_full_disk_keeps_no_recording_and_loses_none(tmp_path: Path, address: str) -> None:
    with full_disk():
        assert await recordings(tmp_path, "127.0.0.1").get(audio(f"{address}/good.wav")) == WAVE


async def test_a_recording_replaces_the_voice_and_a_bad_one_is_replaced_by_it(tmp_path: Path, address: str) -> None:
    speaker = Speaker(
        TenSeconds(),
        Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK),
        recordings=recordings(tmp_path, "127.0.0.1"),
    )
    for url, length_ms, trouble in [
        ("/good.wav", 1200, None),
        ("/moved", 1200, None),  # Kept from the time before.
    ]:
        spoken = replace(PLAY, speech=(Speech("zh", "洪水", audio(f"{address}{url}")),), tone=None)
        prepared = await speaker.prepare(spoken)
        assert ([clip.duration_ms for clip in prepared.clips], prepared.trouble) == ([length_ms], trouble)
    bad = replace(PLAY, speech=(Speech("zh", "洪水", audio(f"{address}/good.wav", b"other")),), tone=None)
    prepared = await speaker.prepare(bad)
    assert ([clip.duration_ms for clip in prepared.clips], prepared.trouble) == ([10_000], Why.AUDIO_HASH)


async def test_what_is_neither_wav_nor_mp3_is_replaced_by_the_voice_whatever_length_it_promises(
    tmp_path: Path, address: str
) -> None:
    most = b"x" * AUDIO_MAX_BYTES
    spoken = replace(
        PLAY, speech=(Speech("zh", "洪水", replace(audio(f"{address}/most", most), duration_ms=777)),), tone=None
    )
    output = Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK)
    kept = recordings(tmp_path, "127.0.0.1")
    heard = await Speaker(TenSeconds(), output, recordings=kept).prepare(spoken)
    assert ([clip.duration_ms for clip in heard.clips], heard.trouble) == ([10_000], Why.AUDIO_FETCH)
    silent = await Speaker(TenSeconds(), output, recordings=kept, listened=False).prepare(spoken)
    assert ([clip.duration_ms for clip in silent.clips], silent.trouble) == ([10_000], Why.AUDIO_FETCH)


@pytest.mark.skipif(not mp3.installed(), reason="mpg123 is not installed (apt install mpg123)")
async def test_an_mp3_is_decoded_and_is_as_long_as_it_sounds_not_as_it_promises(tmp_path: Path, address: str) -> None:
    """What is heard is measured; where nobody listens its frames are counted, and nothing is decoded."""
    (tmp_path / hashlib.sha256(SPOKEN).hexdigest()).write_bytes(SPOKEN)
    spoken = replace(PLAY, speech=(Speech("bo", "x", replace(audio(address, SPOKEN), duration_ms=1)),), tone=None)
    output = Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK)
    kept = recordings(tmp_path, "127.0.0.1")
    heard = await Speaker(TenSeconds(), output, recordings=kept).prepare(spoken)
    silent = await Speaker(TenSeconds(), output, recordings=kept, listened=False).prepare(spoken)
    assert (heard.trouble, silent.trouble) == (None, None)
    assert 800 <= heard.clips[0].duration_ms < 920
    assert 800 <= silent.clips[0].duration_ms < 920
    assert heard.clips[0].wave[:4] == b"RIFF"
    assert silent.clips[0].wave == b""


async def test_a_tampered_mp3_is_not_decoded_and_the_voice_speaks(tmp_path: Path, address: str) -> None:
    tampered = replace(PLAY, speech=(Speech("zh", "洪水", audio(f"{address}/good.wav", SPOKEN)),), tone=None)
    output = Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK)
    prepared = await Speaker(TenSeconds(), output, recordings=recordings(tmp_path, "127.0.0.1")).prepare(tampered)
    assert ([clip.duration_ms for clip in prepared.clips], prepared.trouble) == ([10_000], Why.AUDIO_HASH)


async def test_without_mpg123_the_voice_speaks(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / hashlib.sha256(SPOKEN).hexdigest()).write_bytes(SPOKEN)
    spoken = replace(PLAY, speech=(Speech("zh", "洪水", audio(address, SPOKEN)),), tone=None)
    output = Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK)
    prepared = await Speaker(TenSeconds(), output, recordings=recordings(tmp_path, "127.0.0.1")).prepare(spoken)
    assert ([clip.duration_ms for clip in prepared.clips], prepared.trouble) == ([10_000], Why.AUDIO_FETCH)
