"""One warning in one language as the public pages lay it out: plain texts, local times, nothing for a template to decide."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from zoneinfo import ZoneInfo

from warnd.model.cap import Alert, Info, primary_language
from warnd.model.level import Level
from warnd.render.hazard import hazard
from warnd.web.site import Shown

Words = Mapping[str, str]
"""The words of templates/web/<language>.toml."""

_NOTHING = Info(category=(), event="", urgency="", severity="", certainty="")  # A Cancel need not say anything.
_NAME_MAX = 200
_EVENT_MAX = 60
COLOURED = ("zh", "en")  # Languages in which `warnd.render.hazard` names a colour.


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a warning a page has room for: it must stay under 20 KB on a bad line. The CAP document beside it has all.

    Attributes:
        text: Characters of an instruction or description.
        areas: Characters of all areas' names together.
        brief: Times without year and zone: people read cards where they live, in the days in which they hold.
    """

    text: int
    areas: int
    brief: bool = False


PAGE = Room(text=2_000, areas=1_200)
CARD = Room(text=160, areas=80, brief=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWarning:
    """What a template shows.

    Attributes:
        lang: Primary code of the language of the texts; "" if the warning has none.
        title: The hazard with its level's colour, or what kind of Cancel it is.
        level: Its word, for the shape and colour beside `badge`; None = unknown, or a Cancel.
        areas_left: How many areas are not named in `areas`.
        web: Only ever an http or https address.
        start, end, issued: In the node's time zone, as people of the language write it.
    """

    id: str
    lang: str
    title: str
    badge: str
    level: str | None
    headline: str
    instruction: str
    description: str
    areas: Sequence[str]
    areas_left: int
    source: str
    contact: str
    web: str
    start: str
    end: str
    issued: str


def page_warning(
    shown: Shown,
    *,
    words: Words,
    prefer: Sequence[str],
    timezone: ZoneInfo,
    sender_names: Mapping[str, str],
    room: Room = PAGE,
) -> PageWarning:
    """Return a warning in the first of the `prefer`red languages that it has, else in its own first."""
    warning, alert = shown.warning, shown.alert
    info = _info(alert, prefer)
    lang = primary_language(info.language) if info.language else ""
    areas = _areas(alert, info)
    named = _fitting(areas, room.areas)
    level = None if warning.cancels else warning.level

    def local(at: datetime | None) -> str:
        if at is None:
            return ""
        here = at.astimezone(timezone)
        return (
            here.strftime(words["time_short"])
            if room.brief
            else f"{here.strftime(words['time_format'])} ({timezone.key})"
        )

    return PageWarning(
        id=warning.id,
        lang=lang,
        title=_title(shown, info, lang, words),
        badge=words[_badge(shown)],
        level=level.word if level else None,
        headline=plain(info.headline, _NAME_MAX),
        instruction=words[_cancel_advice(shown)] if warning.cancels else plain(info.instruction, room.text),
        description=plain(info.description, room.text) or (plain(alert.note, room.text) if warning.cancels else ""),
        areas=named,
        areas_left=len(areas) - len(named),
        source=plain(info.sender_name or sender_names.get(alert.sender, alert.sender), _NAME_MAX),
        contact=plain(info.contact, _NAME_MAX),
        web=web_address(info.web),
        start="" if warning.cancels else local(info.onset or info.effective or warning.sent),
        end=local(None if warning.cancels else info.expires or warning.expires),
        issued=local(warning.sent),
    )


def _info(alert: Alert, prefer: Sequence[str]) -> Info:
    for lang in prefer:
        found = alert.info_for(lang)
        if found is not None:
            return found
    return next(iter(alert.infos), _NOTHING)


def _title(shown: Shown, info: Info, lang: str, words: Words) -> str:
    event = plain(info.event, _NAME_MAX)
    named = _named(event, shown.warning.level, lang) if event else ""
    if not shown.warning.cancels:
        return named
    badge = words[_badge(shown)]
    return words["cancel_of"].format(hazard=named, badge=badge) if named else badge


def _named(event: str, level: Level | None, lang: str) -> str:
    """Return the hazard with its level's colour where we have words for that; the badge beside it has them anyway."""
    return hazard(event, level=level, lang=lang, limit=_EVENT_MAX) if lang in COLOURED else event


def _badge(shown: Shown) -> str:
    """Return the key of the words that stand beside the shape."""
    if shown.warning.cancels:
        return f"cancel_{shown.warning.cancel_kind or 'neutral'}"
    return f"level_{(shown.warning.level or Level.BLUE).word}"  # A released warning always has its level.


def _cancel_advice(shown: Shown) -> str:
    return "cancel_what_retract" if shown.warning.cancel_kind == "retract" else "cancel_what"


def _areas(alert: Alert, info: Info) -> list[str]:
    """Return the names of all areas in the info's language: infos may repeat a language, each with areas of its own."""
    same = alert.infos_for(info.language) if info.language else (info,)
    names = (plain(area.description, _NAME_MAX) for each in same for area in each.areas)
    return list(dict.fromkeys(name for name in names if name))


def _fitting(names: Sequence[str], characters: int) -> Sequence[str]:
    """Return the first names that fit, at least one."""
    lengths = accumulate(len(name) for name in names)
    return names[: max(1, sum(1 for length in lengths if length <= characters))]


def plain(value: str | None, limit: int) -> str:
    """Return text from outside without what is not seen or reorders its surroundings; its lines stay."""
    if not value:
        return ""
    kept = "".join(each for each in value[: limit * 2] if each == "\n" or unicodedata.category(each)[0] != "C")
    lines = "\n".join(line.strip() for line in kept.splitlines()).strip()
    return lines if len(lines) <= limit else f"{lines[: limit - 1]}…"


def web_address(value: str | None) -> str:
    """Return a web address that may stand in a link, else nothing: javascript: and its like never."""
    address = plain(value, _NAME_MAX)
    return address if address.startswith(("https://", "http://")) and "…" not in address else ""
