"""Spells written texts for the ear: digits, times, dates and units become words, addresses of pages fall away.

A voice reads "15:30" and "m³/s" differently from engine to engine; spelt words it reads one way. Nothing here knows what is said.
"""

import re
from collections.abc import Callable

from warnd.render.spoken import en, zh

_SPELL: dict[str, Callable[[str], str]] = {"zh": zh.spell, "en": en.spell}

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s，。；、！？（）()〔〕]*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)


def spell(text: str, *, lang: str) -> str:
    """Return the text as a voice should read it; languages without rules of their own keep their digits."""
    bare = " ".join(_ADDRESS.sub(" ", text).split())
    return _SPELL.get(lang, str)(bare)
