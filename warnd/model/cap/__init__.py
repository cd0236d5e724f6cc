"""CAP (OASIS Common Alerting Protocol) 1.1 and 1.2 in, 1.2 out: parse, judge, write. Pure: values in, values out."""

from warnd.model.cap.alert import Alert, Area, Circle, Info, NamedValues, Point, Reference, Resource
from warnd.model.cap.canonical import canonical_hash
from warnd.model.cap.catalogue import RULES, Rule, finding
from warnd.model.cap.check import check
from warnd.model.cap.errors import CapError, NotCap, NotXml, TooLarge
from warnd.model.cap.language import primary_language
from warnd.model.cap.levels import LevelRules, alert_level, cancel_kind, level_of
from warnd.model.cap.read import parse
from warnd.model.cap.wellformed import MAX_BYTES
from warnd.model.cap.write import write

__all__ = [
    "MAX_BYTES",
    "RULES",
    "Alert",
    "Area",
    "CapError",
    "Circle",
    "Info",
    "LevelRules",
    "NamedValues",
    "NotCap",
    "NotXml",
    "Point",
    "Reference",
    "Resource",
    "Rule",
    "TooLarge",
    "alert_level",
    "cancel_kind",
    "canonical_hash",
    "check",
    "finding",
    "level_of",
    "parse",
    "primary_language",
    "write",
]
