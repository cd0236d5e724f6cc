"""From samples to an MP3 that a village's line can carry: mono, small, never cut."""

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import lameenc

from warnd.model.mp3 import NotMp3Error, read_mp3
from warnd.model.wave import NotWaveError, Pcm, read_wave

MEDIA_MAX_BYTES: Final = 5 * 1024 * 1024  # What terminals take (DESIGN §9).
_KBPS: Final = (8, 16, 24, 32, 40, 48, 56, 64)
_MPEG_1_HZ: Final = 32_000  # From this rate on MP3 has no less than 32 kbit/s for each channel worth having.
_MPEG_1_KBPS: Final = 32
_FRAME_BYTES: Final = 2048  # What an encoder puts round the sound.
_QUALITY: Final = 5  # LAME's own scale: 2 best, 7 fastest.
_LOWEST_HZ: Final = 8_000  # Of a telephone. A few bytes with a lower one would be hours, and keep the encoder busy.
_HIGHEST_HZ: Final = 192_000
_SILENT: Final = 100  # Of 32768; a voice is ten times as loud in its quietest word.
_LEAST_MS: Final = 100


class SpeechError(Exception):
    """There is no recording; the text says why."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording as it is served.

    Attributes:
        media: MP3.
        duration_ms: Of the samples it was made of, or of its frames.
    """

    media: bytes
    duration_ms: int

    @property
    def sha256(self) -> str:
        """Of its bytes, lower-case hex."""
        return hashlib.sha256(self.media).hexdigest()


def sound_of(pcm: Pcm, *, kbps: int) -> Sound:
    """Return samples as MP3; a long speech gets fewer kbit/s rather than an early end.

    Raises:
        SpeechError: It is silent, no 16-bit PCM, of a rate that no recorder has, or too long even at 8 kbit/s (87 minutes).
    """
    if not _LOWEST_HZ <= pcm.rate_hz <= _HIGHEST_HZ:
        raise SpeechError(f"its rate is {pcm.rate_hz} Hz; save it with {_LOWEST_HZ} to {_HIGHEST_HZ}")
    mono = _mono(pcm)
    loudest = max(abs(max(mono)), abs(min(mono)))
    if pcm.duration_ms < _LEAST_MS or loudest < _SILENT:
        raise SpeechError(f"{pcm.duration_ms} ms of silence")
    for fewer in (each for each in reversed(_KBPS) if each <= kbps):
        if pcm.duration_ms * fewer // 8 + _FRAME_BYTES <= MEDIA_MAX_BYTES:
            media = encode(mono, rate_hz=pcm.rate_hz, kbps=fewer, served_hz=served_hz(pcm.rate_hz))
            return Sound(media, pcm.duration_ms)
    raise SpeechError(f"{pcm.duration_ms // 1000} s are too long for {MEDIA_MAX_BYTES} bytes")


def served_hz(rate_hz: int) -> int:
    """Return the rate of the MP3 for samples of this rate: enough for a voice, so that few kbit/s suffice."""
    if rate_hz % 24_000 == 0:
        return 24_000
    return 22_050 if rate_hz >= 22_050 else 16_000  # noqa: PLR2004 - the rates of MPEG-2 layer III


def encode(mono: "array[int]", *, rate_hz: int, kbps: int, served_hz: int, channels: int = 1) -> bytes:
    """Return 16-bit mono samples as MP3.

    A second at a time, because the encoder lets nothing else run meanwhile.
    """
    least = _MPEG_1_KBPS * channels if served_hz >= _MPEG_1_HZ else 0
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(channels)
    encoder.set_in_sample_rate(rate_hz)
    encoder.set_out_sample_rate(served_hz)
    encoder.set_bit_rate(max(kbps, least))
    encoder.set_quality(_QUALITY)
    media = bytearray()
    for second in _seconds(mono, rate_hz):
        media += encoder.encode(second.tobytes() if channels == 1 else _doubled(second).tobytes())
    media += encoder.flush()
    return bytes(media)


def recorded(media: bytes, *, kbps: int) -> Sound:
    """Return a person's recording as it is served: MP3 as it is, WAV encoded.

    Raises:
        SpeechError: It is neither, it is not whole, or it is too large.
    """
    if media[:4] == b"RIFF":
        try:
            return sound_of(read_wave(media), kbps=kbps)
        except NotWaveError as error:
            raise SpeechError(f"it is no PCM WAV: {error}") from error
    try:
        mp3 = read_mp3(media)
    except NotMp3Error as error:
        raise SpeechError(f"it is neither MP3 nor WAV: {error}") from error
    if len(media) > MEDIA_MAX_BYTES:
        raise SpeechError(f"it has {len(media)} bytes; terminals take {MEDIA_MAX_BYTES}")
    if mp3.duration_ms < _LEAST_MS:
        raise SpeechError(f"it lasts {mp3.duration_ms} ms")
    return Sound(media, mp3.duration_ms)


def samples(pcm: Pcm) -> "array[int]":
    """Return 16-bit samples, channels interleaved.

    Raises:
        SpeechError: They have another size, or there are none.
    """
    if pcm.bits != 16:  # noqa: PLR2004 - what every engine and recorder can write
        raise SpeechError(f"its samples have {pcm.bits} bits; save it with 16")
    if not pcm.sound:
        raise SpeechError("there is no sound in it")
    return array("h", pcm.sound)


def _mono(pcm: Pcm) -> "array[int]":
    all_channels = samples(pcm)
    if pcm.channels == 1:
        return all_channels
    left, right = all_channels[:: pcm.channels], all_channels[1 :: pcm.channels]
    return array("h", [(one + other) >> 1 for one, other in zip(left, right, strict=True)])


def _doubled(mono: "array[int]") -> "array[int]":
    both = array("h", bytes(4 * len(mono)))
    both[::2], both[1::2] = mono, mono
    return both


def _seconds(mono: "array[int]", rate_hz: int) -> "Iterator[array[int]]":
    return (mono[start : start + rate_hz] for start in range(0, len(mono), rate_hz))
