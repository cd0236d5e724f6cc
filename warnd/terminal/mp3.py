"""Turns MP3 into sound with mpg123, a small program of its own; the terminal has no memory for a library that would."""

import shutil
from typing import Final

from warnd.model.wave import write_wave
from warnd.programs import ProgramFailedError, run_program
from warnd.terminal.wave import RATE_HZ, Clip

PROGRAM: Final = "mpg123"
DECODING_TIMEOUT_S: Final = 60.0
DECODED_MAX_BYTES: Final = 24 * 1024 * 1024  # Nine minutes, more than the longest speech a command can hold.
_BYTES_PER_MS: Final = RATE_HZ * 2 / 1000


class NoSoundError(Exception):
    """No sound came out of an MP3; the text says why."""


def installed() -> bool:
    """Say whether MP3 can be played here."""
    return shutil.which(PROGRAM) is not None


async def decode(mp3: bytes) -> Clip:
    """Return an MP3 as WAV, mono; its length is that of the sound which came out.

    Raises:
        NoSoundError: mpg123 is missing, cannot read it, or it is longer than nine minutes.
    """
    words = [PROGRAM, "-q", "--mono", "--rate", str(RATE_HZ), "--encoding", "s16", "--stdout", "-"]
    try:
        sound = await run_program(words, mp3, timeout_s=DECODING_TIMEOUT_S, output_max_bytes=DECODED_MAX_BYTES)
    except ProgramFailedError as error:
        raise NoSoundError(str(error)) from error
    if not sound:
        raise NoSoundError(f"{PROGRAM} found no sound in it")
    return Clip(write_wave(sound, rate_hz=RATE_HZ), int(len(sound) / _BYTES_PER_MS))
