"""Sound from a real engine, as MP3 that a real player plays; and what no engine may do to the daemon."""

import asyncio
import os
import shutil
from array import array
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.speaking import Booth, tone, tone_mp3, tone_wav
from warnd.model.mp3 import NotMp3Error, joined, read_mp3
from warnd.model.wave import NotWaveError, Pcm, read_wave, write_wave
from warnd.render.speech.engine import Engine
from warnd.render.speech.lexicon import Lexicon
from warnd.render.speech.sound import SpeechError, recorded, sound_of
from warnd.terminal import mp3
from warnd.terminal.mp3 import NoSoundError, decode

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
needs_mpg123 = pytest.mark.skipif(not mp3.installed(), reason="mpg123 is not installed")

FLOOD = "暴雨红色预警：今天下午三点前，请河边低洼地区居民立即转移到安全地点。"
PADDING_MS = 120  # Silence that every MP3 encoder puts round the sound.


def booth(folder: Path, *, timeout_s: float = 20.0) -> tuple[Booth, Engine]:
    made = Booth(folder)
    return made, Engine([str(made.program)], voices={"zh": "a"}, timeout_s=timeout_s)


@needs_espeak
@needs_mpg123
async def test_a_chinese_sentence_is_as_long_in_the_ear_as_its_samples_say() -> None:
    """Measured with espeak-ng 1.51 at 150 words a minute: 10.9 s; the voice that nobody understands takes 16 s."""
    pcm = await Engine(["espeak-ng"], voices={}).say("zh", FLOOD)
    sound = sound_of(pcm, kbps=32)
    assert 10_500 < sound.duration_ms < 11_500
    assert len(sound.media) < 60_000
    heard = await decode(sound.media)
    assert 0 <= heard.duration_ms - sound.duration_ms < PADDING_MS
    assert 0 <= read_mp3(sound.media).duration_ms - sound.duration_ms < PADDING_MS


@needs_espeak
async def test_the_lexicon_changes_what_is_heard() -> None:
    """六安 is Lù'ān; espeak-ng reads Liù'ān, which takes another time to say."""
    plain = Engine(["espeak-ng"], voices={})
    taught = Engine(["espeak-ng"], voices={}, lexicon=Lexicon({"zh": {"六安": "lu4 an1"}}))
    same_sound = Engine(["espeak-ng"], voices={}, lexicon=Lexicon({"zh": {"六安": "录安"}}))
    assert (await taught.say("zh", "六安市")).sound == (await same_sound.say("zh", "六安市")).sound
    assert (await taught.say("zh", "六安市")).sound != (await plain.say("zh", "六安市")).sound
    assert (await taught.say("zh", "蚌埠")).sound == (await plain.say("zh", "蚌埠")).sound
    assert taught.key("zh", "六安市") != plain.key("zh", "六安市")
    assert taught.key("zh", "蚌埠") == plain.key("zh", "蚌埠")


@needs_espeak
async def test_a_language_without_a_voice_is_told() -> None:
    with pytest.raises(SpeechError, match="espeak-ng ended with 1"):
        await Engine(["espeak-ng"], voices={}).say("bo", "text")


async def test_an_engine_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    made, engine = booth(tmp_path, timeout_s=0.3)
    made._script("tail -f /dev/null & echo $! > child; wait")
    with pytest.raises(SpeechError, match="longer"):
        await engine.say("zh", "text")
    assert not _lives(int((made.folder / "child").read_text()))


def _lives(process: int) -> bool:
    """Say whether a process runs; one that is dead and only waits to be counted does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("echo the voice is hoarse >&2; exit 3", "ended with 3: the voice is hoarse"),
        ("echo nonsense", "no PCM WAV: not RIFF/WAVE"),
        ("", "no PCM WAV"),
        ("exec cat /dev/zero", "wrote more than"),
    ],
)
async def test_an_engine_that_fails_says_why(tmp_path: Path, script: str, cause: str) -> None:
    made, engine = booth(tmp_path)
    made._script(script)
    with pytest.raises(SpeechError, match=cause):
        await engine.say("zh", "text")


async def test_an_engine_that_is_not_there_says_so() -> None:
    with pytest.raises(SpeechError, match="cannot be started: No such file"):
        await Engine(["no-such-engine"], voices={"zh": "a"}).say("zh", "text")


async def test_an_engine_of_ones_own_speaks_the_languages_that_have_a_voice_and_gets_its_name(tmp_path: Path) -> None:
    made = Booth(tmp_path)
    made._script('echo "$1" >> voices; cat sound.wav')
    engine = Engine([str(made.program), "{voice}"], voices={"zh-CN": "huayan"})
    assert (engine.speaks("zh"), engine.speaks("en")) == (True, False)
    assert (await engine.say("zh", "洪水")).duration_ms == 700
    assert (made.folder / "voices").read_text() == "huayan\n"
    assert made.said() == ["洪水"]
    with pytest.raises(SpeechError, match="no voice is configured for en"):
        await engine.say("en", "Flood")


def test_silence_is_no_speech() -> None:
    for pcm in (Pcm(22_050, 1, 16, bytes(44_100)), Pcm(22_050, 1, 16, tone(50).tobytes()), Pcm(22_050, 1, 16, b"")):
        with pytest.raises(SpeechError):
            sound_of(pcm, kbps=32)


def test_a_speech_that_would_be_too_large_gets_fewer_kbits_and_no_early_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would be with 23 minutes and 5 MiB; then with a speech that is too long for any quality."""
    pcm = Pcm(8_000, 1, 16, tone(1000, rate_hz=8_000).tobytes() * 60)
    monkeypatch.setattr("warnd.render.speech.sound.MEDIA_MAX_BYTES", 200_000)
    sound = sound_of(pcm, kbps=32)
    assert 150_000 < len(sound.media) <= 200_000
    assert sound.duration_ms == 60_000
    assert abs(read_mp3(sound.media).duration_ms - sound.duration_ms) < PADDING_MS
    monkeypatch.setattr("warnd.render.speech.sound.MEDIA_MAX_BYTES", 50_000)
    with pytest.raises(SpeechError, match="60 s are too long"):
        sound_of(pcm, kbps=32)


async def test_encoding_does_not_hold_up_the_event_loop() -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []

    def look(due: float) -> None:
        late.append(loop.time() - due)
        loop.call_later(0.005, look, loop.time() + 0.005)

    look(loop.time())
    await asyncio.to_thread(sound_of, Pcm(22_050, 1, 16, tone(1000).tobytes() * 60), kbps=32)
    assert len(late) > 5
    assert sorted(late)[len(late) // 2] < 0.05  # The machine may be busy with others; not every turn is ours.


def test_a_stereo_recording_becomes_mono() -> None:
    both = array("h", [value for one in tone(500) for value in (one, one)])
    wave = bytearray(write_wave(both.tobytes(), rate_hz=22_050))
    wave[22:24], wave[28:32], wave[32:34] = b"\x02\0", (22_050 * 4).to_bytes(4, "little"), b"\x04\0"
    assert read_wave(bytes(wave)).channels == 2
    sound = recorded(bytes(wave), kbps=32)
    assert (sound.duration_ms, read_mp3(sound.media).channels) == (500, 1)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_every_rate_that_recorders_use_is_taken(rate_hz: int) -> None:
    sound = recorded(tone_wav(600, rate_hz=rate_hz), kbps=32)
    assert sound.duration_ms == 600
    assert 0 <= read_mp3(sound.media).duration_ms - 600 < PADDING_MS


def test_a_persons_mp3_is_served_as_it_is() -> None:
    mp3 = tone_mp3(600)
    tagged = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + mp3 + b"TAG" + bytes(125)
    assert recorded(mp3, kbps=32).media == mp3
    assert recorded(tagged, kbps=32).media == tagged
    assert read_mp3(tagged).frames == mp3


@pytest.mark.parametrize(
    "media",
    [b"", b"RIFF", b"\xff\xfb", b"nonsense" * 1000, tone_mp3(600)[:2000] + b"x" * 5000, tone_wav(600)[:30]],
)
def test_what_is_no_whole_recording_is_refused(media: bytes) -> None:
    with pytest.raises(SpeechError):
        recorded(media, kbps=32)


@pytest.mark.parametrize("rate_hz", [1, 150, 7_999, 192_001, 2**32 - 1])
def test_a_rate_that_no_recorder_has_keeps_no_encoder_busy(rate_hz: int) -> None:
    """1.5 MB at 150 Hz were 83 minutes of sound, and 7 s of work, out of one small warning."""
    wave = bytearray(tone_wav(600))
    wave[24:28] = rate_hz.to_bytes(4, "little")
    with pytest.raises(SpeechError, match="save it with 8000 to 192000"):
        recorded(bytes(wave), kbps=32)


def test_wav_with_other_samples_says_what_to_do() -> None:
    wave = bytearray(tone_wav(600))
    wave[34:36], wave[32:34], wave[28:32] = b"\x18\0", b"\x03\0", (22_050 * 3).to_bytes(4, "little")
    with pytest.raises(SpeechError, match="24 bits; save it with 16"):
        recorded(bytes(wave), kbps=32)


@given(st.sampled_from([b"", b"\xff\xf3\x40\xc4", b"RIFF____WAVEfmt \x10\0\0\0", b"ID3"]), st.binary(max_size=400))
def test_nothing_breaks_the_reading_of_recordings(head: bytes, tail: bytes) -> None:
    """Whatever stands there, it is a recording or refused by name."""
    for read, refusal in ((read_mp3, NotMp3Error), (read_wave, NotWaveError)):
        with suppress(refusal):
            assert read(head + tail) is not None


@needs_mpg123
@pytest.mark.parametrize(("rate_hz", "channels"), [(22_050, 1), (44_100, 1), (44_100, 2)])
async def test_joined_recordings_sound_one_after_the_other(rate_hz: int, channels: int) -> None:
    parts = [read_mp3(tone_mp3(length_ms, rate_hz=rate_hz, channels=channels)) for length_ms in (400, 900)]
    heard = await decode(joined(parts))
    assert abs(heard.duration_ms - sum(part.duration_ms for part in parts)) <= 60
    assert read_mp3(joined(parts)).duration_ms == pytest.approx(sum(part.duration_ms for part in parts), abs=2)


def test_recordings_of_different_kinds_are_not_joined() -> None:
    with pytest.raises(NotMp3Error):
        joined([read_mp3(tone_mp3(400)), read_mp3(tone_mp3(400, rate_hz=44_100))])


@needs_mpg123
async def test_a_terminal_decodes_no_nonsense_and_no_endless_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSoundError):
        await decode(b"x" * 50_000)
    monkeypatch.setattr("warnd.terminal.mp3.DECODED_MAX_BYTES", 40_000)
    with pytest.raises(NoSoundError, match="more than 40000 bytes"):
        await decode(tone_mp3(2000))


async def test_a_terminal_without_mpg123_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSoundError, match="mpg123 cannot be started"):
        await decode(tone_mp3(400))
    assert os.environ["PATH"] == str(tmp_path)
