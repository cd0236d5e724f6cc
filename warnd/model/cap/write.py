"""From an `Alert` to CAP 1.2 bytes, every element and value kept."""

import re
from collections.abc import Iterable
from datetime import datetime

from lxml import etree

from warnd.model.cap.alert import Alert, Area, Info, NamedValues, Resource
from warnd.model.cap.geometry import write_circle, write_polygon
from warnd.model.cap.references import write_references
from warnd.model.cap.structure import NAMESPACE
from warnd.model.cap.times import write_time

# XML 1.0 §2.2 Char. A parsed alert cannot hold others, but a reason typed by an operator can, and a Cancel must go out.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def write(alert: Alert) -> bytes:
    """Return the alert as a CAP 1.2 document in UTF-8, unsigned.

    `parse` of it gives an equal alert, whichever version it came from, but for a height that is no number (CAP 1.1
    allowed it, 1.2 has no place for it), which is left out. Characters that XML forbids are left out too.
    """
    root = to_tree(alert)
    for name in ("altitude", "ceiling"):
        for height in list(root.iter(f"{{{NAMESPACE}}}{name}")):
            parent = height.getparent()
            if parent is not None and not _is_decimal(height.text):
                parent.remove(height)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def to_tree(alert: Alert) -> etree._Element:
    """Return the alert as elements in CAP's order, with every value that it holds."""
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]  # The stubs omit None.
    _text(root, "identifier", alert.identifier)
    _text(root, "sender", alert.sender)
    _time(root, "sent", alert.sent)
    _text(root, "status", alert.status)
    _text(root, "msgType", alert.msg_type)
    _text(root, "source", alert.source)
    _text(root, "scope", alert.scope)
    _text(root, "restriction", alert.restriction)
    _text(root, "addresses", alert.addresses)
    _texts(root, "code", alert.code)
    _text(root, "note", alert.note)
    _text(root, "references", write_references(alert.references, alert.unreadable_references) or None)
    _text(root, "incidents", alert.incidents)
    for info in alert.infos:
        _info(_child(root, "info"), info)
    return root


def height_is_number(height: str | None) -> bool:
    """Return whether an altitude or ceiling can go out in CAP 1.2; none at all can."""
    return height is None or _is_decimal(height)


def _is_decimal(text: str | None) -> bool:
    return _DECIMAL.fullmatch(text or "") is not None


def _info(parent: etree._Element, info: Info) -> None:
    _text(parent, "language", info.language)
    _texts(parent, "category", info.category)
    _text(parent, "event", info.event)
    _texts(parent, "responseType", info.response_types)
    _text(parent, "urgency", info.urgency)
    _text(parent, "severity", info.severity)
    _text(parent, "certainty", info.certainty)
    _text(parent, "audience", info.audience)
    _pairs(parent, "eventCode", info.event_codes)
    _time(parent, "effective", info.effective)
    _time(parent, "onset", info.onset)
    _time(parent, "expires", info.expires)
    _text(parent, "senderName", info.sender_name)
    _text(parent, "headline", info.headline)
    _text(parent, "description", info.description)
    _text(parent, "instruction", info.instruction)
    _text(parent, "web", info.web)
    _text(parent, "contact", info.contact)
    _pairs(parent, "parameter", info.parameters)
    for resource in info.resources:
        _resource(_child(parent, "resource"), resource)
    for area in info.areas:
        _area(_child(parent, "area"), area)


def _resource(parent: etree._Element, resource: Resource) -> None:
    _text(parent, "resourceDesc", resource.description)
    _text(parent, "mimeType", resource.mime_type)
    _text(parent, "size", resource.size)
    _text(parent, "uri", resource.uri)
    _text(parent, "derefUri", resource.deref_uri)
    _text(parent, "digest", resource.digest)


def _area(parent: etree._Element, area: Area) -> None:
    _text(parent, "areaDesc", area.description)
    _texts(parent, "polygon", map(write_polygon, area.polygons))
    _texts(parent, "polygon", (text for kind, text in area.unreadable if kind == "polygon"))
    _texts(parent, "circle", map(write_circle, area.circles))
    _texts(parent, "circle", (text for kind, text in area.unreadable if kind == "circle"))
    _pairs(parent, "geocode", area.geocodes)
    _text(parent, "altitude", area.altitude)
    _text(parent, "ceiling", area.ceiling)


def _child(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")


def _text(parent: etree._Element, name: str, value: str | None) -> None:
    if value is not None:
        _child(parent, name).text = _ILLEGAL.sub("", value)


def _texts(parent: etree._Element, name: str, values: Iterable[str]) -> None:
    for value in values:
        _text(parent, name, value)


def _time(parent: etree._Element, name: str, moment: datetime | None) -> None:
    if moment is not None:
        _text(parent, name, write_time(moment))


def _pairs(parent: etree._Element, name: str, pairs: NamedValues) -> None:
    for value_name, value in pairs:
        pair = _child(parent, name)
        _text(pair, "valueName", value_name)
        _text(pair, "value", value)
