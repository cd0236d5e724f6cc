"""The second door: is this tree CAP 1.1 or 1.2? Structure only, by the schema that lies beside this file.

The schema is written from the standard and gives the verdict that the official ones give.
"""

import re
import threading
from collections import Counter
from importlib.resources import as_file, files

from lxml import etree

from warnd.model.cap.catalogue import finding
from warnd.model.cap.errors import NotCap
from warnd.model.cap.wellformed import safe_parser
from warnd.model.reason import Reason, shorten

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
"""The namespace of CAP 1.2, the version that is written."""

REPEATABLE = frozenset({"info", "area", "polygon", "circle", "geocode", "parameter", "eventCode", "resource"})
"""Elements that are numbered from 1 in the paths of reasons."""

_VERSIONS = {"urn:oasis:names:tc:emergency:cap:1.1": "1.1", NAMESPACE: "1.2"}
_OTHER_CAP = re.compile(r"http://www\.incident\.com/cap/.*|urn:oasis:names:tc:emergency:cap:.*|http://www\.fgov\.be/.*")
_REASONS_MAX = 20
_TWINS_MAX = 200
_TIMES = frozenset({"sent", "effective", "onset", "expires"})
_NAMESPACED = re.compile(r"\{(?:urn:|http:)[^}]*\}")
_FACET = re.compile(r"^\[facet '[a-z]*'\] ")
_QUOTED_VALUE = re.compile(r"The value '(.*)' is not accepted by the pattern|^'(.*)' is not a valid value", re.DOTALL)
_STEP = re.compile(r"(?P<name>[^\[\]@()]+)(?:\[(?P<place>[0-9]{1,9})\])?")
_QUOTED_ELEMENT = re.compile(r"^Element '[^']*'(?:, attribute '[^']*')?: ")


class _Schemas(threading.local):
    """One schema per thread and version: lxml keeps a validation's errors on the schema object."""

    def __init__(self) -> None:
        self.compiled: dict[str, etree.XMLSchema] = {}

    def of(self, version: str) -> etree.XMLSchema:
        if version not in self.compiled:
            with as_file(files(__package__) / "schema") as folder:
                self.compiled[version] = etree.XMLSchema(file=str(folder / f"cap-{version}.xsd"))
        return self.compiled[version]


_SCHEMAS = _Schemas()


def check_structure(root: etree._Element, document: bytes) -> None:
    """Return if the document is a CAP 1.1 or 1.2 alert.

    Args:
        root: The document's tree; spoilt if it is no alert.
        document: Known to be well-formed.

    Raises:
        NotCap: It is not; the reasons name line and element, at most twenty of them.
    """
    schema = _SCHEMAS.of(_version(root))
    try:
        # Validated while it is parsed, because libxml2 looks up the address of each bad element in a tree by walking its
        # siblings: 2 MiB of bad elements would take minutes. It gives no lines this way, so a bounded tree is asked for them.
        etree.fromstring(document, safe_parser(schema))
    except etree.XMLSyntaxError as error:
        _trim(root)
        reasons = [] if schema.validate(root) else _reasons(root, schema)
        message = f"far down in the document: {_NAMESPACED.sub('', str(error))}"
        raise NotCap(*reasons or [finding("structure", "alert", message)]) from error


def _trim(root: etree._Element) -> None:
    """Drop what repeats a sibling's name too often; where an element may repeat at all, CAP does not say how often."""
    for parent in list(root.iter()):
        seen: Counter[str] = Counter()
        for child in list(parent):
            seen[str(child.tag)] += 1
            if seen[str(child.tag)] > _TWINS_MAX:
                parent.remove(child)


def _version(root: etree._Element) -> str:
    name = etree.QName(root)
    version = _VERSIONS.get(name.namespace or "")
    if version is not None and name.localname == "alert":
        return version
    namespace = shorten(name.namespace or "(none)")
    found = f"line {root.sourceline}: the root is <{shorten(name.localname)}> in namespace {namespace}"
    if name.localname == "alert" and _OTHER_CAP.fullmatch(name.namespace or ""):
        raise NotCap(finding("version_unsupported", "alert", f"{found}; CAP 1.1 and 1.2 are read"))
    raise NotCap(finding("not_cap", "alert", found))


def _reasons(root: etree._Element, schema: etree.XMLSchema) -> list[Reason]:
    reasons: dict[tuple[int, str], Reason] = {}
    for error in schema.error_log:  # type: ignore[attr-defined]  # The stubs omit that it can be walked.
        # A wrong value is reported once per facet; the first says it all.
        reasons.setdefault((error.line, error.path or ""), _reason(root, error))
        if len(reasons) == _REASONS_MAX:
            break
    return list(reasons.values())


def _reason(root: etree._Element, error: etree._LogEntry) -> Reason:
    path = _path(root, error.path or "")
    message = _FACET.sub("", _NAMESPACED.sub("", _QUOTED_ELEMENT.sub("", error.message)))
    code = _code(error.type_name, path, message)
    value = _QUOTED_VALUE.search(message)
    if code == "time_form" and value:
        message = f"'{value[1] or value[2] or ''}' is not written as a time of this CAP version."
    return finding(code, path, f"line {error.line}: {path.rpartition('/')[2]}: {message}")


def _code(kind: str, path: str, message: str) -> str:
    if kind == "SCHEMAV_ELEMENT_CONTENT":
        return "element_missing" if message.startswith("Missing child") else "element_unexpected"
    if path.rpartition("/")[2].partition("[")[0] in _TIMES:
        return "time_form"
    return "value_not_allowed" if kind.startswith("SCHEMAV_CVC_") else "structure"


def _path(root: etree._Element, address: str) -> str:
    """Return libxml2's address of an element (/*/*[9]/*[3], /cap:alert/cap:info[2]) in CAP's names: info[1]/urgency."""
    names: list[str] = []
    element = root
    for step in address.split("/")[2:]:
        found = _STEP.fullmatch(step)
        if found is None:
            break
        twins = [child for child in element if found["name"] in ("*", _prefixed(child))]
        place = int(found["place"] or 1)
        if place > len(twins):
            break
        element = twins[place - 1]
        names.append(_name(element))
    return "/".join(names) or "alert"


def _prefixed(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _name(element: etree._Element) -> str:
    name = etree.QName(element).localname
    if name not in REPEATABLE:
        return name
    return f"{name}[{1 + sum(1 for _ in element.itersiblings(str(element.tag), preceding=True))}]"
