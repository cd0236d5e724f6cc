"""CAP 1.2 as values: what an alert says, element by element. Nothing here judges, reads or writes.

Texts are as they stood in the document, without the white space around them. None means the element was absent, ""
that it stood there empty.
"""

from dataclasses import dataclass
from datetime import datetime

from warnd.model.cap.language import primary_language

NamedValues = tuple[tuple[str, str], ...]
"""(valueName, value) pairs in document order; a name may repeat."""

Point = tuple[float, float]
"""Latitude, longitude in degrees, WGS 84: CAP's order, the reverse of GeoJSON's."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One earlier message that this one updates or cancels (CAP 1.2 §3.2.1 `references`).

    Attributes:
        sent: Aware; None if what stood there is no time with a zone. Nothing is matched by it: the key is enough.
        sent_text: What stood there in that case.
    """

    sender: str
    identifier: str
    sent: datetime | None
    sent_text: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Sender and identifier of the message meant."""
        return (self.sender, self.identifier)


@dataclass(frozen=True, slots=True)
class Circle:
    """A point and the kilometres around it; 0 is allowed by the standard and means the point."""

    lat: float
    lon: float
    radius_km: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A file that goes with an info; `deref_uri` is its content in base64, `size` its bytes in digits."""

    description: str
    mime_type: str
    size: str | None = None
    uri: str | None = None
    deref_uri: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where: a description and any number of polygons, circles and geocodes, which add up.

    Attributes:
        polygons: Each as it stood: closed or not, perhaps empty. `warnd.model.cap.geometry` says which are usable.
        unreadable: ("polygon" | "circle", text) of those whose text is no coordinates, polygons first.
        altitude: Feet above mean sea level, as written; also the bottom of the range if `ceiling` is there.
    """

    description: str
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: NamedValues = ()
    altitude: str | None = None
    ceiling: str | None = None
    unreadable: NamedValues = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is expected, in one language, for its own areas."""

    language: str | None = None
    category: tuple[str, ...]
    event: str
    response_types: tuple[str, ...] = ()
    urgency: str
    severity: str
    certainty: str
    audience: str | None = None
    event_codes: NamedValues = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str | None = None
    headline: str | None = None
    description: str | None = None
    instruction: str | None = None
    web: str | None = None
    contact: str | None = None
    parameters: NamedValues = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One CAP message.

    Attributes:
        unzoned: Paths of the times that stood without a zone (possible in CAP 1.1) and were read as UTC to have a
            value at all; the rules refuse to act on such a value.
        unreadable_references: The words that stood in `references` and name no message.
    """

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    source: str | None = None
    restriction: str | None = None
    addresses: str | None = None
    code: tuple[str, ...] = ()
    note: str | None = None
    references: tuple[Reference, ...] = ()
    incidents: str | None = None
    infos: tuple[Info, ...] = ()
    unzoned: tuple[str, ...] = ()
    unreadable_references: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Sender and identifier: what makes the message this message."""
        return (self.sender, self.identifier)

    @property
    def expires(self) -> datetime | None:
        """When the last of its infos ends; None if there is no info or one of them has no end."""
        ends = [info.expires for info in self.infos if info.expires is not None]
        return max(ends) if ends and len(ends) == len(self.infos) else None

    def languages(self) -> tuple[str, ...]:
        """Return the primary languages ("zh", "en") of the infos that name one, each once, in document order."""
        return tuple(dict.fromkeys(primary_language(info.language) for info in self.infos if info.language))

    def infos_for(self, language: str) -> tuple[Info, ...]:
        """Return the infos in `language`: zh finds zh, zh-CN and zho."""
        wanted = primary_language(language)
        return tuple(info for info in self.infos if info.language and primary_language(info.language) == wanted)

    def info_for(self, language: str) -> Info | None:
        """Return the first info in `language`, whose text speaks for that language; None if there is none."""
        return next(iter(self.infos_for(language)), None)
