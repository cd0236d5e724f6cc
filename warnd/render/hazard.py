"""Names a hazard with its level. Senders already put colour and "warning" into CAP `event` in many ways; ours alone counts."""

import re

from warnd.model.level import Level
from warnd.render.phrases import clip

_ZH_LEVEL = re.compile(r"(?:[(（]?(?:红|橙|黄|蓝)色[)）]?|[(（]?[ⅠⅡⅢⅣ一二三四]级[)）]?)+(?=预警|$)")
_ZH_END = re.compile(r"(?:气象灾害)?预警(?:信号|信息)?$")
_EN_LEVEL = re.compile(r"^(?:red|orange|yellow|blue)\s+(?=\S)", re.IGNORECASE)
_EN_KIND = re.compile(r"\b(?:warning|watch|advisory|alert|statement|emergency)$", re.IGNORECASE)


def hazard(event: str, *, level: Level | None, lang: str, limit: int) -> str:
    """Return what the warning is: "洪水红色预警", "RED Flood Warning"; without a colour where the level is unknown.

    The event's own name is cut to `limit` characters; the level is never cut.
    """
    return _zh(event, level, limit) if lang == "zh" else _other(event, level, limit)


def _zh(event: str, level: Level | None, limit: int) -> str:
    name = _ZH_LEVEL.sub("", _ZH_END.sub("", _ZH_LEVEL.sub("", event)))
    return f"{clip(name, limit=limit, measure=len, mark='…')}{level.colour_zh if level else ''}预警"


def _other(event: str, level: Level | None, limit: int) -> str:
    name = clip(_EN_LEVEL.sub("", event), limit=limit, measure=len, mark="...")
    kind = "" if _EN_KIND.search(name) else "warning"
    return " ".join(part for part in (level.word.upper() if level else "", name, kind) if part)
