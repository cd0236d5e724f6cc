"""The voice: real words from espeak-ng, true durations, and nothing that sounds like a siren."""

import asyncio
import os
import shutil
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes.loudspeaker import DRILL, NOW, PLAY
from tests.fakes.manual_clock import ManualClock, settle
from warnd.clock import SystemClock
from warnd.espeak import voice_name
from warnd.model.loudspeaker import Amplifier, Speech
from warnd.model.wave import NotWaveError
from warnd.programs import ProgramFailedError, run_program
from warnd.terminal.output import Nowhere, OutputError, SoundCard, amplifier_in
from warnd.terminal.speaker import Speaker
from warnd.terminal.voice import Espeak, Estimate, NoVoiceError
from warnd.terminal.wave import RATE_HZ, Clip, chime, duration_ms

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed (apt install espeak-ng)"
)

FLOOD = "暴雨红色预警：今天下午三点前，请河边低洼地区居民立即转移到安全地点。"


@needs_espeak
async def test_chinese_is_spoken_with_the_voice_that_can_be_understood(tmp_path: Path) -> None:
    """The same sentence lasts 16 s in Debian's unintelligible voice `cmn` and 11 s in `cmn-latn-pinyin`."""
    clip = await Espeak().say("zh-CN", FLOOD)
    file = tmp_path / "flood.wav"
    file.write_bytes(clip.wave)
    assert 10_000 < duration_ms(file.read_bytes()) < 12_500
    assert clip.duration_ms == duration_ms(file.read_bytes())
    assert len(set(clip.wave[44:])) > 100


@needs_espeak
async def test_the_voice_that_cannot_be_understood_would_have_been_noticed() -> None:
    words = ["espeak-ng", "-v", "cmn", "-s", "150", "--stdin", "--stdout"]
    assert duration_ms(await run_program(words, FLOOD.encode(), timeout_s=30)) > 14_000


@needs_espeak
@pytest.mark.parametrize(
    ("lang", "text"), [("en", "Red flood warning."), ("yue", "洪水警告"), ("zh", "转移"), ("fr", "Alerte rouge.")]
)
async def test_other_languages_are_spoken(lang: str, text: str) -> None:
    assert (await Espeak().say(lang, text)).duration_ms > 300


@needs_espeak
async def test_a_language_without_a_voice_says_so() -> None:
    with pytest.raises(NoVoiceError, match="xx-YY"):
        await Espeak().say("xx-YY", "text")


async def test_a_missing_espeak_says_so() -> None:
    with pytest.raises(NoVoiceError, match="cannot be started"):
        await Espeak(program="espeak-that-is-not-there").say("zh", "转移")


@needs_espeak
async def test_where_nobody_listens_durations_are_true_and_no_sound_is_kept() -> None:
    heard, silent = await Espeak().say("zh", FLOOD), await Espeak(keep_sound=False).say("zh", FLOOD)
    assert (silent.wave, silent.duration_ms) == (b"", heard.duration_ms)


@needs_espeak
@pytest.mark.parametrize(
    ("lang", "text"),
    [("zh", FLOOD), ("en", "Red flood warning for the villages on the river. Move to high ground now.")],
)
async def test_an_estimate_is_within_a_third_of_the_truth(lang: str, text: str) -> None:
    truth = (await Espeak(keep_sound=False).say(lang, text)).duration_ms
    assert abs((await Estimate().say(lang, text)).duration_ms - truth) < truth / 3


@needs_espeak
async def test_text_is_never_taken_for_options_or_markup() -> None:
    plain = await Espeak(keep_sound=False).say("en", "--version -f /etc/passwd")
    assert plain.duration_ms > 1000


@pytest.mark.parametrize(
    ("lang", "voice"),
    [
        ("zh", "cmn-latn-pinyin"),
        ("zh-CN", "cmn-latn-pinyin"),
        ("zh-Hans-CN", "cmn-latn-pinyin"),
        ("cmn", "cmn-latn-pinyin"),
        ("zh-HK", "yue"),
        ("yue-Hant", "yue"),
        ("en-US", "en"),
        ("bo", "bo"),
        ("../../../../dev/zero", "und"),
        ("/etc/passwd", "und"),
        ("mb/mb-us1", "und"),
        ("-f", "und"),
        ("en+f3", "und"),
        ("", "und"),
    ],
)
def test_each_language_has_its_voice(lang: str, voice: str) -> None:
    assert voice_name(lang) == voice


def samples(clip: Clip) -> tuple[int, ...]:
    sound = clip.wave[44:]
    return struct.unpack(f"<{len(sound) // 2}h", sound)


def notes(clip: Clip) -> list[float]:
    """Return the pitch of each note, counted in zero crossings."""
    sound = samples(clip)
    half = len(sound) // 2
    return [sum(a < 0 <= b for a, b in pairwise(part)) / (half / RATE_HZ) for part in (sound[:half], sound[half:])]


def test_the_chime_is_a_short_wav_that_falls_and_is_no_siren() -> None:
    """A siren rises, wails or pulses, and lasts (alarm patterns have 5 to 15 s of tone)."""
    bell = chime(drill=False)
    assert bell.duration_ms == duration_ms(bell.wave) < 3000
    first, second = notes(bell)
    assert first > second
    assert max(map(abs, samples(bell))) < 0.5 * 32768


def test_a_drill_has_a_chime_of_its_own() -> None:
    first, second = notes(chime(drill=True))
    assert abs(first - second) < 5
    assert chime(drill=True).wave != chime(drill=False).wave


@pytest.mark.parametrize(
    "sound",
    [
        b"",
        b"ID3 mp3",
        b"RIFF____WAVE",
        b"RIFF____WAVEdata\x04\0\0\0abcd",
        b"RIFF____WAVEfmt \x10\0\0\0" + b"\3\0" + b"\1" * 14,
    ],
)
def test_what_is_no_pcm_wav_is_never_sent_to_a_sound_card(sound: bytes) -> None:
    with pytest.raises(NotWaveError):
        duration_ms(sound)


class Spoken:
    """A voice that remembers what it was asked to say."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def say(self, lang: str, text: str) -> Clip:
        self.texts.append(f"{lang} {text}")
        return Clip(b"", 1000)


async def test_a_pass_is_the_tone_and_each_language_once_in_the_order_given() -> None:
    voice = Spoken()
    speaker = Speaker(voice, Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK))
    prepared = await speaker.prepare(PLAY)
    assert [clip.duration_ms for clip in prepared.clips] == [1200, 1000, 1000]
    assert voice.texts == ["zh-CN 洪水红色预警，请立即转移。", "en Red flood warning. Move to high ground now."]


@pytest.mark.parametrize("tone", [None, False, 0, "", "none"])
async def test_without_a_tone_a_pass_is_words_only(tone: str | int | None) -> None:
    speaker = Speaker(Spoken(), Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK))
    assert len((await speaker.prepare(replace(PLAY, tone=tone))).clips) == 2


async def test_a_drill_is_spoken_as_a_drill_also_if_its_text_forgot_to_say_so() -> None:
    voice = Spoken()
    speaker = Speaker(voice, Nowhere(ManualClock(NOW), amplifier=lambda: Amplifier.OK))
    await speaker.prepare(
        replace(DRILL, speech=(Speech("zh", "洪水"), Speech("zh", "【演练】洪水"), Speech("en", "Flood")))
    )
    assert voice.texts == ["zh 演练。洪水", "zh 【演练】洪水", "en Exercise. Flood"]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs stand in for the sound card's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_sound_goes_through_aplay_at_the_commanded_volume(programs: Path) -> None:
    program(programs, "amixer", f'echo "$@" > {programs}/volume')
    program(programs, "aplay", f"cat > {programs}/heard")
    clip = Clip(chime(drill=False).wave, 0)
    await SoundCard(SystemClock(), amplifier=lambda: Amplifier.OK, mixer="PCM").sound(clip, 65)
    assert (programs / "heard").read_bytes() == clip.wave
    assert (programs / "volume").read_text().strip() == "-q sset PCM 65%"


async def test_a_sound_card_that_refuses_or_swallows_sound_did_not_sound_it(programs: Path) -> None:
    card = SoundCard(SystemClock(), amplifier=lambda: Amplifier.OK)
    program(programs, "aplay", "cat > /dev/null; echo no such device >&2; exit 1")
    with pytest.raises(OutputError, match="no such device"):
        await card.sound(chime(drill=False), 80)
    program(programs, "aplay", "cat > /dev/null")
    with pytest.raises(OutputError, match="was through"):
        await card.sound(chime(drill=False), 80)


async def test_a_voice_that_is_cut_off_is_silent_at_once(programs: Path) -> None:
    """The program that sounds is killed, not left to finish."""
    os.mkfifo(programs / "begun")
    program(programs, "aplay", f"echo $$ > {programs}/begun; exec tail -f /dev/null")
    card = SoundCard(SystemClock(), amplifier=lambda: Amplifier.OK)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        sounding = group.create_task(card.sound(chime(drill=False), 80))
        number = int(await asyncio.to_thread((programs / "begun").read_text))
        sounding.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


async def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ProgramFailedError, match="took longer"):
        await run_program(["tail", "-f", "/dev/null"], b"", timeout_s=0.05)


async def test_a_program_that_is_cut_off_with_its_pipe_full_holds_up_nobody(programs: Path) -> None:
    """A stop that comes while espeak-ng hands over its sound must not leave the loudspeaker waiting for it for ever."""
    os.mkfifo(programs / "begun")
    program(programs, "chatter", f"echo > {programs}/begun; exec cat /dev/zero")
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        talking = group.create_task(run_program(["chatter"], b"", timeout_s=60))
        await asyncio.to_thread((programs / "begun").read_text)
        talking.cancel()


async def test_silence_takes_as_long_as_the_sound_would() -> None:
    clock = ManualClock(NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Nowhere(clock, amplifier=lambda: Amplifier.OK).sound(Clip(b"", 3000), 80))
        await clock.advance(2.9)
        assert not task.done()
        await clock.advance(0.1)
        await settle()
        assert task.done()


def test_the_amplifier_is_what_its_file_says_and_unknown_else(tmp_path: Path) -> None:
    path = tmp_path / "amplifier"
    assert amplifier_in(None)() is Amplifier.UNKNOWN
    assert amplifier_in(path)() is Amplifier.UNKNOWN
    for text, amplifier in [("ok\n", Amplifier.OK), ("fault", Amplifier.FAULT), ("???", Amplifier.UNKNOWN)]:
        path.write_text(text)
        assert amplifier_in(path)() is amplifier
