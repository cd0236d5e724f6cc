"""What one template sees: the words of one language with local times. A narrow view, so that templates stay layout."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from warnd.model.level import Level
from warnd.render.clean import without_denial
from warnd.render.facts import CancelKind, MessageFacts, Wording
from warnd.render.hazard import hazard

Purpose = Literal["warning", "cancel", "area"]
"""Why somebody is told: a warning; its Cancel; or that the new version no longer means their area."""

_EVENT_LENGTH = {"zh": 16}
_EVENT_LENGTH_ELSEWHERE = 48


@dataclass(frozen=True, slots=True)
class Words:
    """The values of a template, called `w` there.

    Attributes:
        hazard: With its level's colour; `colour` is that colour alone, "" if the level is unknown.
        issued, starts, ends: In the node's time zone.
    """

    lang: str
    hazard: str
    colour: str
    source: str
    area: str
    description: str
    instruction: str
    issued: datetime
    starts: datetime
    ends: datetime | None
    cancel: CancelKind | None


_NOTHING = Wording(lang="", info=0, source="", event="", area="", description="", instruction="")


def words(message: MessageFacts, *, purpose: Purpose, lang: str, timezone: ZoneInfo, drill: bool) -> Words:
    """Return what is said in `lang`; a Cancel without any words in it still has a level and times.

    Raises:
        ValueError: The message has no time of issue, or a warning no end; neither is ever released.
    """
    wording = message.wording(lang) or _NOTHING
    if message.issued_at is None:
        raise ValueError("A message whose time of issue is unknown cannot be rendered")
    if purpose == "warning" and message.ends_at is None:
        raise ValueError("A warning that does not say when it ends cannot be rendered")
    free = without_denial if drill else str
    level = message.level
    return Words(
        lang=lang,
        hazard=hazard(
            free(wording.event), level=level, lang=lang, limit=_EVENT_LENGTH.get(lang, _EVENT_LENGTH_ELSEWHERE)
        ),
        colour=_colour(level, lang),
        source=free(wording.source),
        area=free(wording.area),
        description=free(wording.description),
        instruction=free(wording.instruction),
        issued=message.issued_at.astimezone(timezone),
        starts=(message.starts_at or message.issued_at).astimezone(timezone),
        ends=message.ends_at.astimezone(timezone) if message.ends_at else None,
        cancel=message.cancel,
    )


def told(w: Words, description: str) -> str:
    """Return what a Cancel itself adds to our words: its instruction, then its description."""
    return ("" if w.lang == "zh" else " ").join(part for part in (w.instruction, description) if part)


def _colour(level: Level | None, lang: str) -> str:
    if level is None:
        return ""
    return level.colour_zh if lang == "zh" else level.word.upper()
