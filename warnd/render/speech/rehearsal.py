"""Tries the engine on a word of each language, so that a voice that cannot speak is found before a warning comes."""

from collections.abc import Sequence
from typing import Final

from warnd.model.cap.language import primary_language
from warnd.render.speech.engine import Engine
from warnd.render.speech.sound import SpeechError, sound_of

_WORDS: Final = {"zh": "请注意。", "en": "Attention please."}
_ELSEWHERE: Final = "1, 2, 3."
_KBPS: Final = 32


async def rehearse(engine: Engine, *, languages: Sequence[str]) -> dict[str, str | None]:
    """Say a word in each language that the engine is meant to speak.

    Returns:
        Language -> what is wrong, None = it spoke. Languages that are left to the terminals' own voices are not in it.
    """
    told: dict[str, str | None] = {}
    for lang in dict.fromkeys(map(primary_language, languages)):
        if engine.speaks(lang):
            told[lang] = await _trouble(engine, lang)
    return told


async def _trouble(engine: Engine, lang: str) -> str | None:
    try:
        sound_of(await engine.say(lang, _WORDS.get(lang, _ELSEWHERE)), kbps=_KBPS)
    except SpeechError as error:
        return str(error)
    return None
