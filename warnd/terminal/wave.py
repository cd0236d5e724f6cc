"""Sound as WAV bytes: how long it lasts, and the chime before the words. No files, no devices."""

import math
import struct
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

RATE_HZ: Final = 22_050  # What espeak-ng speaks at.
_NOTE_S: Final = 0.6
_CHIMES: Final = {False: (659.3, 523.3), True: (440.0, 440.0)}  # Hz. Two falling notes; for drills one note twice.


class NotWaveError(ValueError):
    """The bytes are no PCM WAV."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of sound. `wave` may be empty where nobody will hear it and only the time counts."""

    wave: bytes
    duration_ms: int


def duration_ms(sound: bytes) -> int:
    """Return how long a RIFF/WAVE file lasts, counting the sound that is there: a streamed header promises hours.

    Raises:
        NotWaveError: It is no PCM WAV.
    """
    if sound[:4] != b"RIFF" or sound[8:12] != b"WAVE":
        raise NotWaveError("not RIFF/WAVE")
    place = 12
    bytes_per_s: int = 0
    while place + 8 <= len(sound):
        name, size = struct.unpack_from("<4sI", sound, place)
        place += 8
        if name == b"fmt " and place + 16 <= len(sound):
            coding, _, _, bytes_per_s = struct.unpack_from("<HHII", sound, place)
            if coding != 1 or bytes_per_s == 0:
                raise NotWaveError("not PCM")
        if name == b"data":
            if bytes_per_s == 0:
                raise NotWaveError("sound before its format")
            there: int = min(size, len(sound) - place)
            return there * 1000 // bytes_per_s
        place += size + size % 2
    raise NotWaveError("no sound in it")


@lru_cache(maxsize=2)
def chime(*, drill: bool) -> Clip:
    """Return a gentle bell. It never rises, wails or pulses: those are the patterns of sirens, which mean something else."""
    samples = array("h")
    for pitch in _CHIMES[drill]:
        for step in range(int(RATE_HZ * _NOTE_S)):
            at = step / RATE_HZ
            loudness = min(1.0, at / 0.01) * math.exp(-5 * at)
            samples.append(int(12_000 * loudness * math.sin(2 * math.pi * pitch * at)))
    return Clip(_riff(samples.tobytes()), len(samples) * 1000 // RATE_HZ)


def _riff(sound: bytes) -> bytes:
    """Return 16-bit mono PCM as a WAV file."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(sound), b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", len(sound)) + sound
