"""Alerts for the tests of CAP: our own sample documents, one good warning to vary, and generated ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from warnd.model.cap import Alert, Area, Circle, Info, LevelRules, Reference, Resource, check
from warnd.model.reason import Reason

HERE = Path(__file__).parent
NOW = datetime(2026, 7, 1, 0, 10, tzinfo=UTC)
RULES_OF_LEVEL = LevelRules.from_words(
    ["colour"], {"*": {"Extreme": "red", "Severe": "orange", "Moderate": "yellow", "Minor": "blue"}}
)
SQUARE = ((31.0, 104.0), (31.0, 104.2), (31.2, 104.2), (31.2, 104.0), (31.0, 104.0))

AREA = Area(description="石桥镇", geocodes=(("region_code", "519999102000"),))
INFO = Info(
    language="zh-CN",
    category=("Met",),
    event="洪水",
    urgency="Immediate",
    severity="Extreme",
    certainty="Observed",
    expires=datetime(2026, 7, 1, 12, tzinfo=UTC),
    instruction="转移到高处。",
    areas=(AREA,),
)
ALERT = Alert(
    identifier="flood-1",
    sender="flood@qinghe.example",
    sent=datetime(2026, 7, 1, tzinfo=UTC),
    status="Actual",
    msg_type="Alert",
    scope="Public",
    infos=(INFO,),
)
REFERENCE = Reference("flood@qinghe.example", "flood-0", datetime(2026, 6, 30, tzinfo=UTC))
CANCEL = replace(ALERT, identifier="flood-2", msg_type="Cancel", references=(REFERENCE,), infos=())


def sample(name: str) -> bytes:
    """Return one of the documents beside this file."""
    return (HERE / name).read_bytes()


def with_info(*infos: Info, **changes: Any) -> Alert:
    """Return the good warning with these infos, or with its one info changed."""
    return replace(ALERT, infos=infos or (replace(INFO, **changes),))


def with_area(*areas: Area, **changes: Any) -> Alert:
    """Return the good warning with these areas, or with its one area changed."""
    return with_info(areas=areas or (replace(AREA, **changes),))


def judged(alert: Alert, now: datetime = NOW) -> tuple[Reason, ...]:
    """Return what the rules find, with a tolerance of five minutes and the level map of the shipped example."""
    return check(alert, now=now, future_tolerance_s=300, levels=RULES_OF_LEVEL)


# Values as `parse` gives them: legal in XML, no white space around them.
_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20
)
texts = _texts.map(lambda text: text.strip(" \t\r\n"))
_words = st.text("abcXYZ019.@_-洪", min_size=1, max_size=12)
_pairs = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_times = st.builds(datetime.fromtimestamp, st.integers(0, 4_000_000_000), _zones)
_degrees = st.floats(-400, 400, allow_nan=False)
_heights = st.from_regex(r"[+-]?[0-9]{1,5}(\.[0-9]{0,3})?", fullmatch=True)


def _many(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


areas = st.builds(
    Area,
    description=texts,
    polygons=_many(_many(st.tuples(_degrees, _degrees), 6)),
    circles=_many(st.builds(Circle, _degrees, _degrees, st.floats(0, 1e6))),
    geocodes=_pairs,
    altitude=st.none() | _heights,
    ceiling=st.none() | _heights,
    unreadable=st.lists(st.sampled_from([("polygon", "near the river"), ("circle", "31.0,104.0")]), max_size=2).map(
        lambda found: tuple(sorted(found, reverse=True))
    ),
)
resources = st.builds(
    Resource,
    description=texts,
    mime_type=texts,
    size=st.none() | st.integers().map(str),
    uri=st.none() | st.just("https://qinghe.example/map?a=1&b=2"),
    deref_uri=st.none() | texts,
    digest=st.none() | texts,
)
infos = st.builds(
    Info,
    language=st.sampled_from([None, "zh-CN", "en", "bo"]),
    category=st.lists(st.sampled_from(["Geo", "Met", "CBRNE"]), min_size=1, max_size=3).map(tuple),
    event=texts,
    response_types=_many(st.sampled_from(["Shelter", "Avoid", "AllClear", "None"])),
    urgency=st.sampled_from(["Immediate", "Past"]),
    severity=st.sampled_from(["Extreme", "Unknown"]),
    certainty=st.sampled_from(["Observed", "Unlikely"]),
    audience=st.none() | texts,
    event_codes=_pairs,
    effective=st.none() | _times,
    onset=st.none() | _times,
    expires=st.none() | _times,
    sender_name=st.none() | texts,
    headline=st.none() | texts,
    description=st.none() | texts,
    instruction=st.none() | texts,
    web=st.none() | st.just("https://qinghe.example/w/1"),
    contact=st.none() | texts,
    parameters=_pairs,
    resources=_many(resources, 2),
    areas=_many(areas, 2),
)
alerts = st.builds(
    Alert,
    identifier=texts,
    sender=texts,
    sent=_times,
    status=st.sampled_from(["Actual", "Exercise", "System", "Test", "Draft"]),
    msg_type=st.sampled_from(["Alert", "Update", "Cancel", "Ack", "Error"]),
    scope=st.sampled_from(["Public", "Restricted", "Private"]),
    source=st.none() | texts,
    restriction=st.none() | texts,
    addresses=st.none() | texts,
    code=_many(texts),
    note=st.none() | texts,
    references=_many(
        st.builds(Reference, _words, _words, _times)
        | st.builds(Reference, _words, _words, st.none(), st.just("yesterday"))
    ),
    incidents=st.none() | texts,
    infos=_many(infos, 2),
    unreadable_references=_many(st.sampled_from(["x,y", "a,b,c,d"]), 2),
)
