"""What a message says, taken out of CAP and made safe to print: by language, with nothing of the channel in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from warnd.model.cap.alert import Alert, Info
from warnd.model.cap.language import primary_language
from warnd.model.level import Level
from warnd.render.clean import clean

CancelKind = Literal["lift", "retract"]


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language, cleaned; "" where CAP has none.

    Attributes:
        lang: Primary language ("zh").
        info: Place of the info it was taken from, from 1, for naming it in a reason.
        source: Who warns: senderName, else the name configured for the sender.
        area: The areaDesc of every info in this language, joined.
        description, instruction: What is happening, and the action to take.
    """

    lang: str
    info: int
    source: str
    event: str
    area: str
    description: str
    instruction: str


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the templates know about a message.

    Attributes:
        issued_at: CAP `sent`; None if it stood without a zone, so that nobody can know it.
        starts_at: Earliest onset, else effective, else `issued_at`.
        ends_at: Latest expires; None if none is given.
        cancel: For a Cancel: the danger has passed, or it was a mistake; None = neutral words.
        wordings: One per language in document order; empty for a Cancel that says nothing about anything known.
    """

    level: Level | None
    issued_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    cancel: CancelKind | None
    wordings: tuple[Wording, ...]

    def wording(self, lang: str) -> Wording | None:
        """Return the words in `lang` ("zh", "zh-CN"), or None."""
        wanted = primary_language(lang)
        return next((each for each in self.wordings if each.lang == wanted), None)


def facts(
    alert: Alert,
    *,
    level: Level | None,
    area_names: Mapping[str, str] | None = None,
    sender_names: Mapping[str, str] | None = None,
    cancel: CancelKind | None = None,
    about: Alert | None = None,
) -> MessageFacts:
    """Gather what is said about an alert.

    Args:
        alert: The message itself.
        level: The warning's level; for a Cancel that of what it cancels; None = unknown.
        area_names: Language -> names of the regions meant; used for a language whose infos describe no area.
        sender_names: CAP sender -> a name people know it by; used where senderName is absent.
        cancel: For a Cancel only.
        about: For a Cancel: the message it cancels. Event and area are said as people heard them then.
    """
    languages = _languages(alert, about)
    names = sender_names or {}
    source = names.get(alert.sender, "")
    wordings = tuple(_wording(lang, alert, about=about, source=source) for lang in languages)
    places = {primary_language(lang): name for lang, name in (area_names or {}).items()}
    infos = alert.infos or (about.infos if about else ())
    issued_at = None if "sent" in {path.rpartition("/")[2] for path in alert.unzoned} else alert.sent
    starts = [moment for info in infos if (moment := info.onset or info.effective) is not None]
    ends = [info.expires for info in infos if info.expires is not None]
    return MessageFacts(
        level=level,
        issued_at=issued_at,
        starts_at=min(starts, default=issued_at),
        ends_at=max(ends, default=None),
        cancel=cancel,
        wordings=tuple(_placed(each, places.get(each.lang, "")) for each in wordings),
    )


def _language(info: Info) -> str:
    return primary_language(info.language) if info.language else "en"  # CAP 1.2 §3.2.2: absent means en-US.


def _languages(*alerts: Alert | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_language(info) for alert in alerts if alert for info in alert.infos))


def _wording(lang: str, alert: Alert, *, about: Alert | None, source: str) -> Wording:
    own = _in_language(alert, lang)
    heard = _in_language(about, lang) or own
    said = own or heard
    return Wording(
        lang=lang,
        info=(alert if own else about or alert).infos.index(said[0]) + 1,
        source=_first((info.sender_name for info in (*own, *heard)), lang=lang) or clean(source, lang=lang),
        event=_first((info.event for info in (*heard, *own)), lang=lang),
        area=_areas(heard, lang) or _areas(own, lang),
        description=_first((info.description for info in own), lang=lang),
        instruction=_first((info.instruction for info in own), lang=lang),
    )


def _in_language(alert: Alert | None, lang: str) -> tuple[Info, ...]:
    return tuple(info for info in alert.infos if _language(info) == lang) if alert else ()


def _first(values: Iterable[str | None], *, lang: str) -> str:
    return next((text for value in values if (text := clean(value, lang=lang))), "")


def _areas(infos: tuple[Info, ...], lang: str) -> str:
    """Join the areas of infos that repeat a language: each has its own, and all of them are warned."""
    named = (clean(area.description, lang=lang) for info in infos for area in info.areas)
    return ("、" if lang == "zh" else ", ").join(dict.fromkeys(name for name in named if name))


def _placed(wording: Wording, place: str) -> Wording:
    if wording.area or not place:
        return wording
    return replace(wording, area=clean(place, lang=wording.lang))
