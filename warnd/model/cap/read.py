"""From bytes to an `Alert`: the two doors, then the values. No rule is applied here."""

from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from warnd.model.cap.alert import Alert, Area, Circle, Info, NamedValues, Point, Resource
from warnd.model.cap.catalogue import finding
from warnd.model.cap.errors import NotCap
from warnd.model.cap.geometry import read_circle, read_polygon
from warnd.model.cap.references import read_references
from warnd.model.cap.structure import check_structure
from warnd.model.cap.times import UnreadableTimeError, read_time
from warnd.model.cap.wellformed import read_tree

_SPACE = " \t\r\n"
_UNKNOWN_MIME = "application/octet-stream"
"""What CAP 1.1 leaves out and 1.2 requires: RFC 2046 §4.5.1 names this for content of unknown kind."""


def parse(document: bytes) -> Alert:
    """Return what the document says.

    Any encoding the document declares, prefixes, comments and processing instructions are taken. An XML signature is
    passed over: whether it can be trusted is authority's question, asked of the bytes.

    Args:
        document: One CAP 1.1 or 1.2 alert, at most `MAX_BYTES`.

    Raises:
        TooLarge: It is larger.
        NotXml: It is not well-formed, or has a DOCTYPE or entities.
        NotCap: Its structure is not CAP's, or a time is no time.
    """
    root = read_tree(document)
    check_structure(root, document)
    unzoned: list[str] = []
    return _alert(_Element(root, path="", unzoned=unzoned), unzoned)


class _Element:
    """One element whose children are read by name; the structure is known to be right."""

    def __init__(self, element: etree._Element, *, path: str, unzoned: list[str]) -> None:
        self._path = path
        self._unzoned = unzoned
        self._children: dict[str, list[etree._Element]] = {}
        namespace = etree.QName(element).namespace
        for child in element:
            name = etree.QName(child)
            if name.namespace == namespace:
                self._children.setdefault(name.localname, []).append(child)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple((child.text or "").strip(_SPACE) for child in self._children.get(name, ()))

    def text(self, name: str) -> str | None:
        return next(iter(self.texts(name)), None)

    def required(self, name: str) -> str:
        return self.texts(name)[0]

    def each(self, name: str) -> Iterator["_Element"]:
        for number, child in enumerate(self._children.get(name, ()), 1):
            yield _Element(child, path=f"{self._path}{name}[{number}]/", unzoned=self._unzoned)

    def pairs(self, name: str) -> NamedValues:
        return tuple((pair.required("valueName"), pair.required("value")) for pair in self.each(name))

    def time(self, name: str) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        path = self._path + name
        try:
            moment, zoned = read_time(text)
        except UnreadableTimeError as error:
            cause = f"line {self._children[name][0].sourceline}: {name}: '{text}' is no time"
            raise NotCap(finding("time_unreadable", path, cause)) from error
        if not zoned:
            self._unzoned.append(path)
        return moment


def _alert(alert: _Element, unzoned: list[str]) -> Alert:
    sent = alert.time("sent")
    assert sent is not None, "the schema requires it"
    references, unreadable = read_references(alert.text("references") or "")
    infos = tuple(_info(info) for info in alert.each("info"))
    return Alert(
        identifier=alert.required("identifier"),
        sender=alert.required("sender"),
        sent=sent,
        status=alert.required("status"),
        msg_type=alert.required("msgType"),
        scope=alert.required("scope"),
        source=alert.text("source"),
        restriction=alert.text("restriction"),
        addresses=alert.text("addresses"),
        code=alert.texts("code"),
        note=alert.text("note"),
        references=references,
        incidents=alert.text("incidents"),
        infos=infos,
        unzoned=tuple(unzoned),
        unreadable_references=unreadable,
    )


def _info(info: _Element) -> Info:
    return Info(
        language=info.text("language") or None,
        category=info.texts("category"),
        event=info.required("event"),
        response_types=info.texts("responseType"),
        urgency=info.required("urgency"),
        severity=info.required("severity"),
        certainty=info.required("certainty"),
        audience=info.text("audience"),
        event_codes=info.pairs("eventCode"),
        effective=info.time("effective"),
        onset=info.time("onset"),
        expires=info.time("expires"),
        sender_name=info.text("senderName"),
        headline=info.text("headline"),
        description=info.text("description"),
        instruction=info.text("instruction"),
        web=info.text("web"),
        contact=info.text("contact"),
        parameters=info.pairs("parameter"),
        resources=tuple(_resource(resource) for resource in info.each("resource")),
        areas=tuple(_area(area) for area in info.each("area")),
    )


def _resource(resource: _Element) -> Resource:
    mime_type = resource.text("mimeType")
    return Resource(
        description=resource.required("resourceDesc"),
        mime_type=_UNKNOWN_MIME if mime_type is None else mime_type,
        size=resource.text("size"),
        uri=resource.text("uri"),
        deref_uri=resource.text("derefUri"),
        digest=resource.text("digest"),
    )


def _area(area: _Element) -> Area:
    polygons: list[tuple[Point, ...]] = []
    circles: list[Circle] = []
    unreadable: list[tuple[str, str]] = []
    for text in area.texts("polygon"):
        points = read_polygon(text)
        if points is None:
            unreadable.append(("polygon", text))
        else:
            polygons.append(points)
    for text in area.texts("circle"):
        circle = read_circle(text)
        if circle is None:
            unreadable.append(("circle", text))
        else:
            circles.append(circle)
    return Area(
        description=area.required("areaDesc"),
        polygons=tuple(polygons),
        circles=tuple(circles),
        geocodes=area.pairs("geocode"),
        altitude=area.text("altitude"),
        ceiling=area.text("ceiling"),
        unreadable=tuple(unreadable),
    )
