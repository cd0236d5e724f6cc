"""Takes the teeth out of texts from outside before they stand beside ours. It changes marks and controls, never words.

A sender's text must not be able to look like our signature, our drill mark or our request for an answer, to reorder what stands
around it, or to say in a drill that it is none.
"""

import re
import unicodedata

_LENGTH_MAX = 6_000
"""Characters kept of any value: far more than any message carries, and it bounds the work on a hostile one."""

_BRACKETS = str.maketrans("【】〖〗［］[]⟦⟧", "〔〕〔〕（）()()")  # Ours alone: 【签名】, 【演练】, [EXERCISE].
_FULL_WIDTH = {
    code: code - 0xFEE0 for pair in ("０９", "ＡＺ", "ａｚ") for code in range(ord(pair[0]), ord(pair[1]) + 1)
}
_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "−": "-"})

_HAN = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_GAP = re.compile(rf"(?<={_HAN})\s+(?={_HAN})")
_ANSWER = re.compile(r"回复\s*[0-9]+\s*确认|reply\s*[0-9]+\s*to\s*confirm", re.IGNORECASE)
_NO_DRILL = re.compile(
    r"(?:这|本次|此次)?(?:并非|并不是|不是|非)(?:一次|一场)?(?:演练|演习)|(?:this\s+is\s+)?not\s+an?\s+(?:drill|exercise|test)"
    r"|(?:this\s+is\s+)?no\s+(?:drill|exercise|test)",
    re.IGNORECASE,
)
_SHOWN = ("L", "M", "N", "P", "S")  # Unicode general categories: letters, marks, numbers, punctuation, symbols.


def clean(value: str | None, *, lang: str) -> str:
    """Return a value on one line, without controls, invisible or direction characters, and without marks that are ours to set.

    Outside Chinese, typographic quotes and dashes become plain ones: a single one would halve what an SMS holds.
    """
    if not value:
        return ""
    shown = "".join(_visible(character) for character in value[:_LENGTH_MAX])
    text = shown.translate(_BRACKETS).translate(_FULL_WIDTH)
    if lang != "zh":
        text = text.translate(_TYPOGRAPHY)
    text = _GAP.sub("", " ".join(text.split()))
    return _ANSWER.sub("…" if lang == "zh" else "...", text)


def without_denial(value: str) -> str:
    """Return a drill's value without "this is not a drill", which a drill must never say (Hawaii, 13 January 2018)."""
    return " ".join(_NO_DRILL.sub(" ", value).split())


def _visible(character: str) -> str:
    if unicodedata.category(character)[0] in _SHOWN:
        return character
    return "" if unicodedata.category(character) == "Cf" else " "
