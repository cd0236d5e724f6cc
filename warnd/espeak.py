"""How espeak-ng is asked to speak: the same by the daemon and by a terminal. It is GPL-3, so it runs as a program of its own."""

import re
from typing import Final

PROGRAM: Final = "espeak-ng"
WORDS_PER_MINUTE: Final = 150

_NAME: Final = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")
_NOBODY: Final = "und"  # BCP 47's word for an undetermined language.

# Debian's `cmn` reads Chinese as English letters with spoken tone numbers; nobody understands it.
_VOICES: Final = {
    "zh": "cmn-latn-pinyin",
    "cmn": "cmn-latn-pinyin",
    "yue": "yue",
    "zh-yue": "yue",
    "zh-hk": "yue",
    "zh-mo": "yue",
    "en": "en",
}


def voice_name(lang: str) -> str:
    """Return espeak-ng's voice for a BCP 47 tag: the longest known beginning of it, else its language as it is.

    What is no language gets a voice that does not exist: espeak-ng opens a name with slashes as a file, and reads /dev/zero for ever.
    """
    subtags = lang.lower().split("-")
    known = ("-".join(subtags[:length]) for length in range(len(subtags), 0, -1))
    spoken = next((_VOICES[tag] for tag in known if tag in _VOICES), subtags[0])
    return spoken if _NAME.fullmatch(spoken) else _NOBODY


def words(voice: str, *, program: str = PROGRAM, words_per_minute: int = WORDS_PER_MINUTE) -> list[str]:
    """Return the command that reads text from its standard input and writes WAV to its standard output."""
    return [program, "-v", voice, "-s", str(words_per_minute), "-b", "1", "--stdin", "--stdout"]
