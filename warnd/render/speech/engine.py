"""The speech engine: a program that reads text from its standard input and writes WAV to its standard output. Distrusted like any other."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from warnd import espeak
from warnd.model.cap.language import primary_language
from warnd.model.wave import NotWaveError, Pcm, read_wave
from warnd.programs import ProgramFailedError, run_program
from warnd.render.speech.lexicon import Lexicon
from warnd.render.speech.sound import SpeechError

NONE: Final = "none"


class Engine:
    """One engine with its voices.

    Args:
        words: A program and its options, "{voice}" where the voice goes; ("espeak-ng",) and ("none",) alone are known by name.
        voices: Language -> voice. espeak-ng has one for most languages without being told; another engine speaks these only.
        timeout_s: In which it must have spoken.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        voices: Mapping[str, str],
        words_per_minute: int = espeak.WORDS_PER_MINUTE,
        timeout_s: float = 20.0,
        lexicon: Lexicon | None = None,
    ) -> None:
        self._words = tuple(words)
        self._voices = {primary_language(lang): voice for lang, voice in voices.items()}
        self._words_per_minute = words_per_minute
        self._timeout_s = timeout_s
        self._lexicon = lexicon or Lexicon()

    @property
    def name(self) -> str:
        """The program's name."""
        return self._words[0]

    @property
    def names(self) -> int:
        """How many names its lexicon has."""
        return len(self._lexicon)

    def speaks(self, lang: str) -> bool:
        """Say whether it is meant to speak a language; whether it can shows when it is tried."""
        if self._words == (NONE,):
            return False
        return self._words == (espeak.PROGRAM,) or lang in self._voices

    def key(self, lang: str, text: str) -> str:
        """Return what is equal for equal sound: same engine, voice, lexicon and words."""
        made_of = [self._command(lang), self._lexicon.say(text, lang=lang)]
        return hashlib.sha256(json.dumps(made_of, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()

    async def say(self, lang: str, text: str) -> Pcm:
        """Return the text as sound.

        Raises:
            SpeechError: It does not speak this language, fails, takes too long, or writes no WAV.
        """
        if not self.speaks(lang):
            raise SpeechError(f"no voice is configured for {lang}")
        spoken = self._lexicon.say(text, lang=lang)
        try:
            wave = await run_program(
                self._command(lang), f"{spoken}\n".encode("utf-8", "replace"), timeout_s=self._timeout_s
            )
            return read_wave(wave)
        except ProgramFailedError as error:
            raise SpeechError(str(error)) from error
        except NotWaveError as error:
            raise SpeechError(f"{self.name} wrote no PCM WAV: {error}") from error

    def _command(self, lang: str) -> list[str]:
        if self._words == (espeak.PROGRAM,):
            voice = self._voices.get(lang, espeak.voice_name(lang))
            return espeak.words(voice, words_per_minute=self._words_per_minute)
        return [word.replace("{voice}", self._voices.get(lang, "")) for word in self._words]
