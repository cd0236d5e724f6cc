"""The Atom feed (RFC 4287) of what the public may see, with links to the CAP documents."""

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree

from warnd.web.site import Picture, Shown
from warnd.web.wording import PageWarning

ATOM = "http://www.w3.org/2005/Atom"
ATOM_TYPE = "application/atom+xml"
CAP_TYPE = "application/cap+xml"


def atom(
    picture: Picture, pages: Iterable[tuple[Shown, PageWarning]], *, title: str, public_url: str, lang: str
) -> bytes:
    """Return the feed of what is in force and of the Cancels of the last day, newest first."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item] # the stubs omit None
    feed.set("{http://www.w3.org/XML/1998/namespace}lang", lang)
    _add(feed, "id", f"{public_url}/feed/cap.atom")
    _add(feed, "title", title)
    _add(feed, "updated", _time(picture.changed_at))
    _add(_add(feed, "author"), "name", title)
    _add(feed, "link", rel="self", type=ATOM_TYPE, href=f"{public_url}/feed/cap.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{public_url}/")
    for shown, page in sorted(pages, key=lambda pair: pair[0].warning.released_at, reverse=True):
        _entry(feed, shown, page, public_url)
    etree.indent(feed)
    return etree.tostring(feed, xml_declaration=True, encoding="UTF-8")


def _entry(feed: etree._Element, shown: Shown, page: PageWarning, public_url: str) -> None:
    warning = shown.warning
    entry = _add(feed, "entry")
    _add(entry, "id", f"{public_url}/w/{warning.id}")
    _add(entry, "title", page.headline or page.title)
    _add(entry, "updated", _time(warning.released_at))
    _add(entry, "published", _time(warning.sent))
    _add(_add(entry, "author"), "name", page.source)
    _add(entry, "link", rel="alternate", type="text/html", href=f"{public_url}/w/{warning.id}")
    _add(entry, "link", rel="alternate", type=CAP_TYPE, href=f"{public_url}/feed/{warning.id}.xml")
    if page.level:
        _add(entry, "category", term=page.level, label=page.badge)
    _add(entry, "summary", "\n".join(part for part in (page.title, page.instruction, "; ".join(page.areas)) if part))


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = text
    return element


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
