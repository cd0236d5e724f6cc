"""The Atom feed (RFC 4287) of what the public may see, each entry with its CAP 1.2 document.

Readers of CAP differ in where they look for it, so it is given in all the ways that the standard has: as the entry's content
(§4.1.3.3), as an enclosure (§4.2.7.2), and as an alternate. The feed stays bounded: what is too long to stand in it is linked.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree

from warnd.model import cap
from warnd.web.site import Picture, Shown
from warnd.web.wording import PageWarning

ATOM = "http://www.w3.org/2005/Atom"
CAP = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM_TYPE = "application/atom+xml"
CAP_TYPE = "application/cap+xml"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DOCUMENT_MOST = 32 * 1024
_FEED_MOST = 2 * 1024 * 1024


def atom(
    picture: Picture,
    pages: Iterable[tuple[Shown, PageWarning]],
    *,
    title: str,
    public_url: str,
    path: str,
    page_path: str,
    lang: str,
) -> bytes:
    """Return the feed of what is in force and of the Cancels of the last day, newest first.

    Args:
        picture: Says since when it is so.
        pages: Everything in it, worded.
        title: For people.
        public_url: Without a slash at its end.
        path: Of the feed, with its query.
        page_path: Of the page that shows the same.
        lang: BCP 47 tag of the titles.
    """
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM, "cap": CAP})  # type: ignore[dict-item] # the stubs omit None
    feed.set(_XML_LANG, lang)
    _add(feed, "id", f"{public_url}{path}")
    _add(feed, "title", title)
    _add(feed, "updated", _time(picture.changed_at))
    _add(_add(feed, "author"), "name", title)
    _add(feed, "link", rel="self", type=ATOM_TYPE, href=f"{public_url}{path}")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{public_url}{page_path}")
    room = _FEED_MOST
    for shown, page in sorted(pages, key=lambda pair: pair[0].warning.released_at, reverse=True):
        room -= _entry(feed, shown, page, public_url=public_url, room=room)
    etree.indent(feed)
    return etree.tostring(feed, xml_declaration=True, encoding="UTF-8")


def _entry(feed: etree._Element, shown: Shown, page: PageWarning, *, public_url: str, room: int) -> int:
    """Add one entry; return how many bytes of the document stand in it."""
    warning = shown.warning
    document = cap.write(shown.alert)
    at = f"{public_url}/feed/{warning.id}.xml"
    entry = _add(feed, "entry")
    if page.lang:
        entry.set(_XML_LANG, page.lang)
    _add(entry, "id", f"{public_url}/w/{warning.id}")
    _add(entry, "title", page.headline or page.title or page.badge)
    _add(entry, "updated", _time(warning.released_at))
    _add(entry, "published", _time(warning.sent))
    _add(_add(entry, "author"), "name", page.source)
    _add(entry, "link", rel="alternate", type="text/html", href=f"{public_url}/w/{warning.id}")
    _add(entry, "link", rel="alternate", type=CAP_TYPE, href=at)
    _add(entry, "link", rel="enclosure", type=CAP_TYPE, href=at, length=str(len(document)))
    if page.level:
        _add(entry, "category", term=page.level, label=page.badge)
    _add(entry, "summary", "\n".join(part for part in (page.title, page.instruction, "; ".join(page.areas)) if part))
    if len(document) > min(room, _DOCUMENT_MOST):
        _add(entry, "content", type=CAP_TYPE, src=at)
        return 0
    # Under a prefix: some readers take CAP's <description> for the entry's own where it stands without one.
    _add(entry, "content", type=CAP_TYPE).append(etree.fromstring(document))
    return len(document)


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = text
    return element


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
