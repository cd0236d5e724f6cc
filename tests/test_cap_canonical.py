"""The same content has the same hash; any other content has another."""

import dataclasses
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cap.alerts import ALERT, alerts, sample
from warnd.model.cap import Alert, Circle, Reference, canonical_hash, parse, write

FLOOD = sample("flood_red.xml")


def hash_of(document: bytes) -> str:
    return canonical_hash(parse(document))


def test_the_hash_is_sha_256_in_hex_and_stays_what_it_was() -> None:
    """It is stored; a later version must recognise what an earlier one took."""
    assert canonical_hash(ALERT) == "00816a3429b167fe6617cb24a1821ed9c77ea0d7ac77adb2e3a3485316859289"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n  ", ""),
        ("\n", "\r\n"),
        ("<headline>", "<headline>\n\t "),
        ("正在泄洪，", "正在泄洪，"),
        ("\n\n下游", " 下游"),
        ("31.10,104.10 ", "31.1,104.10\n"),
        ("+08:00</sent>", "+08:00 </sent>"),
        ("<!-- An", "<!-- Another"),
        ("</info>\n</alert>", '</info><S xmlns="http://www.w3.org/2000/09/xmldsig#">AAAA</S></alert>'),
        ("cap:1.2", "cap:1.1"),
        ("<status>", '<status xmlns:x="urn:x">'),
    ],
)
def test_white_space_signature_and_the_like_make_no_difference(before: str, after: str) -> None:
    text = FLOOD.decode()
    assert before in text
    document = text.replace(before, after)
    if after == "cap:1.1":  # Which does not know one of the responses.
        document, text = (version.replace("<responseType>Avoid</responseType>", "") for version in (document, text))

    assert hash_of(document.encode()) == hash_of(text.encode())


@given(alerts, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_white_space_between_elements_never_makes_a_difference(alert: Alert, random: Any) -> None:
    document = write(alert).decode()
    parts = document.split(">\n")
    spaced = (
        "".join(part + ">" + random.choice(["", " ", "\n\n", "\t", "<!-- x -->"]) for part in parts[:-1]) + parts[-1]
    )

    assert hash_of(spaced.encode()) == canonical_hash(alert)


def changed(value: object) -> list[Any]:
    """Return copies of an alert or a part of it, each with one thing changed, removed or repeated."""
    match value:
        case str():
            return [value + "x"]
        case float():
            return [value + 0.5]
        case datetime():
            return [value + timedelta(seconds=1)]
        case tuple():
            return [(*value[:i], other, *value[i + 1 :]) for i, part in enumerate(value) for other in changed(part)] + (
                [value[:-1], (*value, value[0])] if value and not isinstance(value[0], float) else []
            )
        case None:
            return []
        case _:
            part: Any = value
            names = [field.name for field in dataclasses.fields(part)]
            return [replace(part, **{name: other}) for name in names for other in changed(getattr(part, name))]


def test_every_change_of_a_value_changes_the_hash() -> None:
    alert = replace(
        parse(FLOOD),
        restriction="r",
        addresses="a",
        references=(Reference("s", "i", ALERT.sent),),
        unreadable_references=("u",),
    )
    copies = [copy for copy in changed(alert) if copy.unzoned == () and copy != alert]
    pairs_kept = [copy for copy in copies if well_paired(copy)]

    assert len(pairs_kept) > 130
    assert len({canonical_hash(copy) for copy in [alert, *pairs_kept]}) == len(pairs_kept) + 1


def well_paired(alert: Alert) -> bool:
    """Tell whether the changes left (name, value) pairs and points pairs, and references that name something."""
    named = [*(p for i in alert.infos for p in (*i.parameters, *i.event_codes))]
    named += [p for i in alert.infos for a in i.areas for p in a.geocodes]
    points = [p for i in alert.infos for a in i.areas for polygon in a.polygons for p in polygon]
    return all(len(pair) == 2 for pair in (*named, *points)) and all(not r.sent_text for r in alert.references)


def test_the_order_of_elements_matters() -> None:
    alert = parse(FLOOD)
    first, second = alert.infos

    assert canonical_hash(replace(alert, infos=(second, first))) != canonical_hash(alert)


def test_a_border_moved_between_two_values_matters() -> None:
    one, other = replace(ALERT, code=("a b", "c")), replace(ALERT, code=("a", "b c"))

    assert canonical_hash(one) != canonical_hash(other)


def test_a_circle_is_not_a_polygon() -> None:
    area = parse(FLOOD).infos[1].areas[0]
    with_circle = replace(area, circles=(Circle(1, 2, 3),))
    hashes = {
        canonical_hash(replace(ALERT, infos=(replace(ALERT.infos[0], areas=(a,)),)))
        for a in (area, with_circle, replace(area, polygons=(((1.0, 2.0),),)))
    }

    assert len(hashes) == 3
