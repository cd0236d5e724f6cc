"""Turns words into sound with espeak-ng, or, where nobody listens, into the time that saying them takes."""

import shutil
from collections import OrderedDict
from typing import Final, Protocol

from warnd import espeak
from warnd.model.wave import NotWaveError
from warnd.programs import ProgramFailedError, run_program
from warnd.terminal.wave import Clip, duration_ms

SYNTHESIS_TIMEOUT_S: Final = 60.0
CLIPS_KEPT: Final = 32
CLIPS_KEPT_BYTES: Final = 8 * 1024 * 1024

_MS_PER_HAN: Final = 320  # Both as measured on espeak-ng 1.51 at its own 150 words a minute.
_MS_PER_LETTER: Final = 75


class NoVoiceError(Exception):
    """There is no voice for this language here; the text says why."""


class Voice(Protocol):
    """Whoever can say words."""

    async def say(self, lang: str, text: str) -> Clip:
        """Return `text` as sound.

        Raises:
            NoVoiceError: It cannot be said here.
        """
        ...


class Espeak:
    """espeak-ng as a program of its own (it is GPL-3). What was said before is not synthesised again while it fits in memory.

    Args:
        keep_sound: False where only durations are wanted; then no sound is kept.
    """

    def __init__(self, *, program: str = espeak.PROGRAM, keep_sound: bool = True) -> None:
        self._program = program
        self._keep_sound = keep_sound
        self._said: OrderedDict[tuple[str, str], Clip] = OrderedDict()

    async def say(self, lang: str, text: str) -> Clip:
        """Return `text` as sound.

        Raises:
            NoVoiceError: espeak-ng is missing, has no such voice, or fails.
        """
        said = self._said.get((lang, text))
        if said is not None:
            self._said.move_to_end((lang, text))
            return said
        clip = await self._synthesise(lang, text)
        self._said[lang, text] = clip
        while len(self._said) > CLIPS_KEPT or sum(len(one.wave) for one in self._said.values()) > CLIPS_KEPT_BYTES:
            self._said.popitem(last=False)
        return clip

    async def _synthesise(self, lang: str, text: str) -> Clip:
        command = espeak.words(espeak.voice_name(lang), program=self._program)
        try:
            wave = await run_program(command, text.encode("utf-8"), timeout_s=SYNTHESIS_TIMEOUT_S)
            length_ms = duration_ms(wave)
        except (ProgramFailedError, NotWaveError) as error:
            raise NoVoiceError(f"{lang}: {error}") from error
        if length_ms == 0:
            raise NoVoiceError(f"{lang}: espeak-ng said nothing")
        return Clip(wave if self._keep_sound else b"", length_ms)


class Estimate:
    """No voice at all, only how long one would take: for `--silent` where espeak-ng is not installed."""

    async def say(self, lang: str, text: str) -> Clip:
        """Return silence of about the length that saying `text` takes."""
        del lang
        han = sum("\u3400" <= letter <= "\u9fff" for letter in text)
        return Clip(b"", _MS_PER_HAN * han + _MS_PER_LETTER * (len(text) - han))


def silent_voice() -> Voice:
    """Return the best there is for keeping true durations without sound."""
    return Espeak(keep_sound=False) if shutil.which(espeak.PROGRAM) else Estimate()
