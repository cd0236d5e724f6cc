"""CAP 1.2 documents as strings, the way a warning centre's own software would write them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
CONTENT_TYPE = {"Content-Type": "application/cap+xml"}
_NUMBERS = count(1)


def moment(*, ahead_s: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ahead_s)  # noqa: TID251 - outside of warnd the world has a clock


def cap_time(when: datetime) -> str:
    """Return the form of CAP 1.2: seconds, and an offset that is never Z."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def fresh_identifier(stem: str = "case") -> str:
    return f"{stem}-{next(_NUMBERS):04d}"


@dataclass(frozen=True)
class Info:
    """One <info>; `None` leaves an element out."""

    language: str | None = "zh-CN"
    event: str = "洪水"
    severity: str = "Extreme"
    level: str | None = "red"
    expires_s: float | None = 7200.0
    sender_name: str | None = "清河县防汛办"
    headline: str | None = "清河县洪水红色预警"
    instruction: str | None = "立即转移到高处。"
    area_desc: str = "柳河镇"
    geocodes: Sequence[tuple[str, str]] = ()
    polygons: Sequence[str] = ()
    circles: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    event_codes: Mapping[str, str] = field(default_factory=dict)


ENGLISH = Info(
    language="en",
    event="Flood",
    sender_name="Qinghe Flood Office",
    headline="Red flood warning for Liuhe",
    instruction="Move to high ground now.",
    area_desc="Liuhe",
)


@dataclass(frozen=True)
class Cap:
    """One CAP message."""

    identifier: str
    sender: str = "flood@qinghe.example"
    status: str = "Actual"
    msg_type: str = "Alert"
    scope: str = "Public"
    restriction: str | None = None
    addresses: str | None = None
    sent: datetime = field(default_factory=moment)
    references: str | None = None
    infos: Sequence[Info] = (Info(),)

    def xml(self) -> bytes:
        head = [
            _element("identifier", self.identifier),
            _element("sender", self.sender),
            _element("sent", cap_time(self.sent)),
            _element("status", self.status),
            _element("msgType", self.msg_type),
            _element("scope", self.scope),
            _element("restriction", self.restriction),
            _element("addresses", self.addresses),
            _element("references", self.references),
        ]
        body = "".join([*head, *(_info(info, self.sent) for info in self.infos)])
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="{NAMESPACE}">{body}</alert>'.encode()

    @property
    def reference(self) -> str:
        return f"{self.sender},{self.identifier},{cap_time(self.sent)}"


def alert(codes: Iterable[str], *, english: bool = False, stem: str = "case", **changes: Any) -> Cap:
    """Return a red Alert for these region codes; `changes` are fields of Cap or of every Info."""
    places = tuple(("region_code", code) for code in codes)
    infos = [Info(geocodes=places)]
    if english:
        infos.append(replace(ENGLISH, geocodes=places))
    return changed(Cap(fresh_identifier(stem), infos=tuple(infos)), **changes)


def changed(document: Cap, **changes: Any) -> Cap:
    """Return the document with fields of Cap, or of each Info, replaced."""
    own = {name: value for name, value in changes.items() if name in Cap.__dataclass_fields__}
    inner = {name: value for name, value in changes.items() if name not in own}
    infos = own.pop("infos", None) or tuple(replace(info, **inner) for info in document.infos)
    return replace(document, infos=infos, **own)


def cancel_of(first: Cap, *, kind: str | None = None, **changes: Any) -> Cap:
    """Return a Cancel of a message, with or without the word for which kind."""
    infos = tuple(
        replace(info, parameters={} if kind is None else {"warnd:cancel": kind}, level=None) for info in first.infos
    )
    document = replace(
        first, identifier=fresh_identifier("cancel"), msg_type="Cancel", references=first.reference, sent=moment()
    )
    return changed(replace(document, infos=infos), **changes)


def update_of(first: Cap, **changes: Any) -> Cap:
    document = replace(
        first,
        identifier=fresh_identifier("update"),
        msg_type="Update",
        references=first.reference,
        sent=max(moment(), first.sent + timedelta(seconds=1)),
    )
    return changed(document, **changes)


def _element(name: str, text: str | None) -> str:
    return "" if text is None else f"<{name}>{escape(text)}</{name}>"


def _pair(name: str, key: str, value: str) -> str:
    return f"<{name}><valueName>{escape(key)}</valueName><value>{escape(value)}</value></{name}>"


def _info(info: Info, sent: datetime) -> str:
    expires = None if info.expires_s is None else cap_time(sent + timedelta(seconds=info.expires_s))
    parameters = dict(info.parameters) | ({} if info.level is None else {"warnd:level": info.level})
    area = [
        _element("areaDesc", info.area_desc),
        *(_element("polygon", polygon) for polygon in info.polygons),
        *(_element("circle", circle) for circle in info.circles),
        *(_pair("geocode", name, value) for name, value in info.geocodes),
    ]
    parts = [
        _element("language", info.language),
        _element("category", "Met"),
        _element("event", info.event),
        _element("urgency", "Immediate"),
        _element("severity", info.severity),
        _element("certainty", "Observed"),
        *(_pair("eventCode", name, value) for name, value in info.event_codes.items()),
        _element("effective", cap_time(sent)),
        _element("onset", cap_time(sent)),
        _element("expires", expires),
        _element("senderName", info.sender_name),
        _element("headline", info.headline),
        _element("instruction", info.instruction),
        *(_pair("parameter", name, value) for name, value in parameters.items()),
        f"<area>{''.join(area)}</area>",
    ]
    return f"<info>{''.join(parts)}</info>"
