"""Which languages a visitor reads: what they chose by ?lang=, else what their browser asks for, else the node's first.

The words around a warning exist in few languages, its own texts perhaps in others: a visitor may read a warning in Uyghur on
a page whose buttons are Chinese. So the two are chosen apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from warnd.model.cap import primary_language

_RANGES_MAX = 20  # Of an Accept-Language header; nobody reads more languages than that.
_CODE = re.compile(r"[a-z]{2,8}")
_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_OWN_NAMES = {
    "ar": "العربية",
    "bo": "བོད་ཡིག",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "ii": "ꆈꌠꉙ",
    "ja": "日本語",
    "kk": "Қазақша",
    "ko": "한국어",
    "mn": "Монгол",
    "pt": "Português",
    "ru": "Русский",
    "th": "ไทย",
    "tr": "Türkçe",
    "ug": "ئۇيغۇرچە",
    "vi": "Tiếng Việt",
    "yue": "粵語",
    "za": "Vahcuengh",
    "zh": "中文",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What one visitor reads.

    Attributes:
        words: The language of everything around the warnings; one of those with words.
        chosen: What they asked for by ?lang=, as a primary code; "" = nothing.
        wanted: Languages for the warnings' texts, most wanted first; ends with the node's own.
        reads: Those of them that the visitor named or that the page itself is in.
    """

    words: str
    chosen: str
    wanted: tuple[str, ...]
    reads: frozenset[str]

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What pages differ by."""
        return self.words, self.chosen, self.wanted

    @property
    def link(self) -> str:
        """What links carry on: the language chosen, or the page's."""
        return self.chosen or self.words

    def is_foreign(self, lang: str) -> bool:
        """Say whether a text in `lang` needs a word of excuse."""
        return bool(lang) and (lang != self.chosen if self.chosen else lang not in self.reads)


def choose(request: Request, *, available: Sequence[str], node: Sequence[str]) -> Choice:
    """Return what the visitor reads.

    Args:
        request: Theirs.
        available: Primary codes of the languages that there are words for, preferred first; at least one.
        node: What people here read, first one first.
    """
    chosen = primary_language(request.query_params.get("lang", "")[:35])
    chosen = chosen if _CODE.fullmatch(chosen) else ""
    named = [each for each in ([chosen] if chosen else []) + _accepted(request) if each]
    words = next((lang for lang in named if lang in available), available[0])
    return Choice(
        words=words,
        chosen=chosen,
        wanted=tuple(dict.fromkeys([*named, words, *node])),
        reads=frozenset({*named, words}),
    )


def direction(lang: str) -> str:
    """Return the value of HTML's `dir` for a text in a language; a text of none tells by its letters."""
    if not lang:
        return "auto"
    return "rtl" if lang in _RIGHT_TO_LEFT else "ltr"


def own_name(lang: str) -> str:
    """Return what a language calls itself, or its code."""
    return _OWN_NAMES.get(lang, lang)


def _accepted(request: Request) -> list[str]:
    """Return the languages of Accept-Language, most wanted first (RFC 9110 §12.5.4)."""
    ranges = []
    for part in request.headers.get("accept-language", "").split(",")[:_RANGES_MAX]:
        tag, _, parameters = part.partition(";")
        code, weight = primary_language(tag[:35]), _weight(parameters)
        if _CODE.fullmatch(code) and weight > 0:
            ranges.append((weight, code))
    return [tag for _, tag in sorted(ranges, key=lambda each: -each[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
