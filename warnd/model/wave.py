"""PCM WAV as bytes: what it holds, and how it is written. No files, no devices."""

import struct
from dataclasses import dataclass
from typing import Final

_PCM: Final = 1
_EXTENSIBLE: Final = (
    0xFFFE  # Its sub-format begins with the coding; 24 bytes into the chunk (mmreg.h, WAVEFORMATEXTENSIBLE).
)
_EXTENSIBLE_BYTES: Final = 40


class NotWaveError(ValueError):
    """The bytes are no PCM WAV."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """Sound as samples.

    Attributes:
        sound: The samples, channels interleaved, little-endian; only those that are there, whatever the header promised.
    """

    rate_hz: int
    channels: int
    bits: int
    sound: bytes

    @property
    def duration_ms(self) -> int:
        """How long it lasts, whole milliseconds, rounded down."""
        return len(self.sound) * 1000 // (self.rate_hz * self.channels * self.bits // 8)


def read_wave(wave: bytes) -> Pcm:
    """Return the samples of a RIFF/WAVE file; a streamed header, which promises hours, is not believed.

    Raises:
        NotWaveError: It is no PCM WAV.
    """
    if wave[:4] != b"RIFF" or wave[8:12] != b"WAVE":
        raise NotWaveError("not RIFF/WAVE")
    place = 12
    shape: tuple[int, int, int] | None = None
    while place + 8 <= len(wave):
        name, size = struct.unpack_from("<4sI", wave, place)
        place += 8
        if name == b"fmt ":
            shape = _shape(wave[place : place + min(size, _EXTENSIBLE_BYTES)])
        if name == b"data":
            if shape is None:
                raise NotWaveError("sound before its format")
            return _pcm(shape, wave[place : place + size])
        place += size + size % 2
    raise NotWaveError("no sound in it")


def write_wave(sound: bytes, *, rate_hz: int) -> bytes:
    """Return 16-bit mono PCM as a WAV file."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(sound), b"WAVE", b"fmt ", 16, _PCM, 1, rate_hz, rate_hz * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", len(sound)) + sound


def _shape(chunk: bytes) -> tuple[int, int, int]:
    """Return (rate in Hz, channels, bits) of a format chunk."""
    if len(chunk) < 16:  # noqa: PLR2004 - the least a format chunk has
        raise NotWaveError("its format is cut off")
    coding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if coding == _EXTENSIBLE and len(chunk) == _EXTENSIBLE_BYTES:
        (coding,) = struct.unpack_from("<H", chunk, 24)
    if coding != _PCM or not channels or not rate_hz or not bits or bits % 8:
        raise NotWaveError("not PCM")
    return rate_hz, channels, bits


def _pcm(shape: tuple[int, int, int], sound: bytes) -> Pcm:
    rate_hz, channels, bits = shape
    frame = channels * bits // 8
    return Pcm(rate_hz, channels, bits, sound[: len(sound) // frame * frame])
