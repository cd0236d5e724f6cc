"""What would happen if a warning were released now: who, where, in what words. Values only; intake fills them in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from warnd.model.reason import Reason


@dataclass(frozen=True, slots=True)
class Villages:
    """Targeted villages: all of them counted, the first of them named.

    Attributes:
        list: Codes, sorted; bounded, so that `count` may be larger.
    """

    count: int
    list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LonelyVillage:
    """A targeted village that nothing would reach as things stand.

    Attributes:
        reason: As in coverage: no_terminal, offline, no_officer.
    """

    code: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unwilling:
    """Somebody with a duty who asked for no more messages on a channel, and is told all the same."""

    recipient: str
    channel: str
    address_masked: str
    since: datetime


@dataclass(frozen=True, slots=True)
class PreviewText:
    """One text as it would go out; `segments` are SMS parts per recipient, 1 for channels that do not count."""

    channel: str
    lang: str
    text: str
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The answer of `POST /api/v1/warnings/preview` (DESIGN §5).

    Attributes:
        people: Role -> how many persons would be told in that role.
        households: How many households would be told by SMS; those that asked for no more are left alone and not counted.
        opted_out: People with a duty who asked for no more messages and would be told all the same; bounded.
        villages_without_live_path: Bounded; those for which an operator must think of something else.
        outside: Region codes outside this node's jurisdiction: listed, never messaged.
        missing_languages: Languages of this node, and those people record here, that the warning has neither a text nor a recording in.
        segments_total: SMS segments of all recipients together.
        unknown_geocodes: (valueName, value) pairs that no table knows.
        only_by_geocode, only_by_polygon: Village codes named by one of the two alone; bounded.
    """

    level: Literal["red", "orange", "yellow", "blue"] | None
    villages: Villages
    people: dict[str, int]
    terminals: int
    households: int
    villages_without_live_path: tuple[LonelyVillage, ...] = ()
    outside: tuple[str, ...] = ()
    missing_languages: tuple[str, ...] = ()
    texts: tuple[PreviewText, ...] = ()
    segments_total: int = 0
    reasons: tuple[Reason, ...] = ()
    unknown_geocodes: tuple[tuple[str, str], ...] = ()
    only_by_geocode: tuple[str, ...] = ()
    only_by_polygon: tuple[str, ...] = ()
    opted_out: tuple[Unwilling, ...] = ()
