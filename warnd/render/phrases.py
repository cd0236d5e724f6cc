"""Cuts texts where a reader expects a pause: after a sentence, after a clause, between two places of a list."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

Measure = Callable[[str], int]
"""How long a text is in whatever the limit counts: characters, or units of an SMS alphabet."""

_STOP = re.compile(r"[。！？；!?;]+[”’\"'）)]*\s*|\.[”’\"'）)]*(?:\s+|$)")  # A full stop inside a number ends nothing.
_PLACE = re.compile(r"(?:(?!\sand\s)[^、，,;；])+(?:[、，,;；]\s*|\sand\s)?")
_ENDS = "。！？；!?;.…"


def sentences(text: str) -> tuple[str, ...]:
    """Return the text in sentences that join to the text again."""
    ends = [0, *(stop.end() for stop in _STOP.finditer(text)), len(text)]
    return tuple(text[start:end] for start, end in pairwise(ends) if start < end)


def leading(text: str, *, limit: int, measure: Measure) -> str:
    """Return as many whole sentences from the start as measure `limit` or less; "" if the first one is longer."""
    return _most(sentences(text), limit=limit, measure=measure, loose=" ")


def clip(text: str, *, limit: int, measure: Measure, mark: str) -> str:
    """Return the text, or its start with `mark` after it, measuring `limit` or less; "" where not even that has room."""
    if measure(text) <= limit:
        return text
    room = limit - measure(mark)
    if room <= 0:
        return ""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) <= room else (low, middle - 1)
    return text[:low].rstrip(" ，,、；;：:") + mark


def clip_places(text: str, *, limit: int, measure: Measure, more: str, ellipsis: str) -> str:
    """Return a list of places, or its first ones with `more` after them, or the start of the first, measuring `limit` or less."""
    if measure(text) <= limit:
        return text
    fitting = _most(_PLACE.findall(text), limit=limit - measure(more), measure=measure, loose=" 、，,;；")
    fitting = fitting.removesuffix(" and")
    return fitting + more if fitting else clip(text, limit=limit, measure=measure, mark=ellipsis)


def _most(parts: Sequence[str], *, limit: int, measure: Measure, loose: str) -> str:
    """Join parts from the first on while they fit, without what is `loose` at the end; halving, because measuring may be slow."""
    joined = [sofar.rstrip(loose) for sofar in accumulate(parts)]
    fitting = bisect_right(joined, limit, key=measure)
    return joined[fitting - 1] if fitting else ""


def sentence(text: str, *, lang: str) -> str:
    """Return the text closed by a full stop, unless it is empty or closed already."""
    trimmed = text.rstrip(" ，,、：:")
    if not trimmed or trimmed[-1] in _ENDS:
        return trimmed
    return trimmed + ("。" if lang == "zh" else ".")
