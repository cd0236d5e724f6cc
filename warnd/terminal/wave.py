"""Sound as WAV bytes: how long it lasts, and the chime before the words. No files, no devices."""

import math
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from warnd.model.wave import read_wave, write_wave

RATE_HZ: Final = 22_050  # What espeak-ng speaks at.
_NOTE_S: Final = 0.6
_CHIMES: Final = {False: (659.3, 523.3), True: (440.0, 440.0)}  # Hz. Two falling notes; for drills one note twice.


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of sound. `wave` may be empty where nobody will hear it and only the time counts."""

    wave: bytes
    duration_ms: int


def duration_ms(sound: bytes) -> int:
    """Return how long a PCM WAV lasts, counting the sound that is there: a streamed header promises hours.

    Raises:
        NotWaveError: It is no PCM WAV.
    """
    return read_wave(sound).duration_ms


@lru_cache(maxsize=2)
def chime(*, drill: bool) -> Clip:
    """Return a gentle bell. It never rises, wails or pulses: those are the patterns of sirens, which mean something else."""
    samples = array("h")
    for pitch in _CHIMES[drill]:
        for step in range(int(RATE_HZ * _NOTE_S)):
            at = step / RATE_HZ
            loudness = min(1.0, at / 0.01) * math.exp(-5 * at)
            samples.append(int(12_000 * loudness * math.sin(2 * math.pi * pitch * at)))
    return Clip(write_wave(samples.tobytes(), rate_hz=RATE_HZ), len(samples) * 1000 // RATE_HZ)
