"""The first door: bytes to a tree, nothing dangerous taken. Knows no CAP.

A DOCTYPE is refused before the parser sees the document: CAP has no use for one, entity bombs and file inclusion
have.
"""

import codecs
import re

from lxml import etree

from warnd.model.cap.catalogue import finding
from warnd.model.cap.errors import NotXml, TooLarge

MAX_BYTES = 2 * 1024 * 1024

# Possessive, so that a long run of comments is walked once and not in every possible grouping.
_DOCTYPE = re.compile(r"\ufeff?(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)


def read_tree(document: bytes) -> etree._Element:
    """Return the root element, without comments and processing instructions.

    Raises:
        TooLarge: More than `MAX_BYTES`.
        NotXml: Not well-formed, or with a DOCTYPE.
    """
    if len(document) > MAX_BYTES:
        raise TooLarge(finding("too_large", "alert", f"the document has {len(document)} bytes, more than {MAX_BYTES}"))
    if _DOCTYPE.match(_prolog(document)):
        raise NotXml(finding("doctype", "alert", "the document begins with a DOCTYPE"))
    try:
        root = etree.fromstring(document, safe_parser())
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:  # LookupError: an encoding nobody knows.
        raise NotXml(finding("not_xml", "alert", f"the document is not well-formed XML: {error}")) from error
    # In an encoding that hides its ASCII (UTF-7, EBCDIC) only the parser finds the DOCTYPE; it expands nothing.
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotXml(finding("doctype", "alert", "the document has a DOCTYPE"))
    return root


def _prolog(document: bytes) -> str:
    encoding = next((name for mark, name in _ENCODINGS if document.startswith(mark)), "latin-1")
    return document.decode(encoding, "replace")


def safe_parser(schema: etree.XMLSchema | None = None) -> etree.XMLParser:
    """Return a parser that fetches and expands nothing, and validates by `schema` if one is given.

    A new one each time costs little and keeps no state of the last document; threads may not share one.
    """
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        schema=schema,
    )
