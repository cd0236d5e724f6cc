"""What a display board shows, one slide at a time: the gravest first, each in every language of the node, cut to what is readable.

Sizes: a board is read at 10 m. Letters must fill 16 minutes of arc (ISO 9241-303), 47 mm there. On a 55-inch screen (685 mm high) that
is 6.8 % of its height; a Chinese letter fills about 0.92 of its font size, a Latin capital 0.7. So `board.css` sets 8 and 10 hundredths
of the screen's shorter side, and this is how many letters then fit on a 16:9 screen.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from warnd.web.wording import COLOURED, PageWarning

WARNINGS_MOST = 6  # In rotation; a seventh would come round too late to be of use.
PARTS_MOST = 4
SLIDES_MOST = 16  # In one round, which then takes three minutes: who passes by must not wait longer for the first.
_LINES = 3
_WIDE_PER_LINE = 20  # Full-width letters at 8 hundredths, in 16:9.
_NARROW_PER_LINE = 30  # Latin letters at 10 hundredths.
_LINES_UNNAMED = (
    2  # Where the title is in a language in which we cannot name the colour, so that the level takes a line.
)
_TITLE_MOST = 46  # Columns of half a full-width letter; two lines.
_LEVEL_AT_END = 4  # Letters: 红色预警.
_PLACES_MOST = {True: 40, False: 30}  # Columns where letters are full-width, and where they are not; one line.
_ROUNDING = 1e-6
_SHORT = 0.5  # Of the lines: a text that leaves that much room is written larger.
_FULL_WIDTH = ("zh", "yue", "ja", "ko")
_SENTENCE = re.compile(r"(?<=[。！？；!?;])|(?<=\.)\s+|\n+")


@dataclass(frozen=True, slots=True)
class Slide:
    """One screenful.

    Attributes:
        page: The warning, in one language.
        words: The language of everything around it.
        title: The hazard with its level.
        text: What to do, or a part of it.
        short: It leaves room to be written larger.
        part, parts: Which part, from 1.
        places: Names of the areas, as many as fit.
        expires_at: When it leaves by itself, whether or not the centre can still be heard; None = it has no end.
    """

    page: PageWarning
    words: str
    title: str
    text: str
    short: bool
    part: int
    parts: int
    places: str
    expires_at: datetime | None


def slides(
    page: PageWarning, *, words: str, text: str, expires_at: datetime | None, parts_most: int = PARTS_MOST
) -> list[Slide]:
    """Return the slides of one warning in one language."""
    lines = _LINES if page.lang in COLOURED else _LINES_UNNAMED
    parts = cut(text, lines=lines, parts_most=parts_most)
    wide = page.lang in _FULL_WIDTH
    places = clipped(("、" if wide else ", ").join(page.areas), _PLACES_MOST[wide])
    return [
        Slide(
            page=page,
            words=words,
            title=_title(page),
            text=part,
            short=_lines(part) <= lines * _SHORT,
            part=number,
            parts=len(parts),
            places=places,
            expires_at=expires_at,
        )
        for number, part in enumerate(parts, 1)
    ]


def _title(page: PageWarning) -> str:
    """Return the title in two lines. In Chinese the level stands at its end, 红色预警, and must not be what is cut."""
    end = page.title[-_LEVEL_AT_END:] if page.lang == "zh" and page.level else ""
    if not end or clipped(page.title, _TITLE_MOST) == page.title:
        return clipped(page.title, _TITLE_MOST)
    return clipped(page.title[: -len(end)], _TITLE_MOST - 2 * len(end) - 2) + end


def cut(text: str, *, lines: int = _LINES, parts_most: int = PARTS_MOST) -> list[str]:
    """Return the text in parts that fit into `lines`, at sentences where it has them; at least one, at most `parts_most`."""
    parts: list[str] = []
    # More never fits, even if every second letter is a break that takes no room; and nobody waits for it to be cut.
    text = re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", text))[: 2 * _NARROW_PER_LINE * lines * (parts_most + 1)]
    for sentence in (each.strip() for each in _SENTENCE.split(text)):
        for piece in _pieces(sentence, lines):
            if parts and _lines(f"{parts[-1]} {piece}") <= lines:
                parts[-1] = f"{parts[-1]}{'' if _is_wide(parts[-1][-1]) else ' '}{piece}"
            else:
                parts.append(piece)
    if len(parts) > parts_most:
        parts = [*parts[: parts_most - 1], f"{parts[parts_most - 1]}…"]
    return parts or [""]


def clipped(text: str, columns: int) -> str:
    """Return the text, or its beginning with an ellipsis, within so many columns of half a full-width letter each."""
    used = 0
    for at, sign in enumerate(text):
        used += 2 if _is_wide(sign) else 1
        if used > columns:
            return f"{text[:at]}…"
    return text


def _pieces(sentence: str, lines: int) -> list[str]:
    """Return a sentence that is too long for a screen in pieces: at spaces, or anywhere where the script has none."""
    pieces: list[str] = []
    rest = sentence
    while _lines(rest) > lines:
        end = _fitting(rest, lines)
        space = rest.rfind(" ", end // 2, end)
        end = space if space > 0 else end
        pieces.append(rest[:end].strip())
        rest = rest[end:].strip()
    return [*pieces, *([rest] if rest else [])]


def _fitting(text: str, lines: int) -> int:
    """Return how many letters of a text fit into `lines`, at least one; no more of it is looked at."""
    used = 0.0
    for at, sign in enumerate(text):
        used += 1 / (_WIDE_PER_LINE if _is_wide(sign) else _NARROW_PER_LINE)
        if used > lines + _ROUNDING:
            return max(1, at)
    return len(text)


def _lines(text: str) -> float:
    wide = sum(1 for sign in text if _is_wide(sign))
    return wide / _WIDE_PER_LINE + (len(text) - wide) / _NARROW_PER_LINE


def _is_wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"


def in_languages(languages: Sequence[str], offered: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return the languages in which to show a warning: the node's, where it has them, else the first of its own.

    Args:
        languages: What people here read, first one first.
        offered: Those that there are words for.
        own: Those of the warning's texts.
    """
    shown = [lang for lang in languages if lang in own]
    return shown or list(own[:1]) or [offered[0]]
