"""The invented county is whole: shapes tile it, parts give the promised numbers, the shipped file is what the code makes."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point, Polygon, unary_union

from warnd.cli.demo.cast import CONFIRMED, Cast, Officer, Part, Speaker, compare, give_parts
from warnd.cli.demo.county import County, geojson, invent
from warnd.cli.demo.flood import freshen
from warnd.cli.demo.people import COLUMNS, invent_people, speaker_ids, write_csv
from warnd.cli.demo.phones import behaviours
from warnd.cli.demo.stage import flood_document
from warnd.cli.demo.tiling import Tiling, middle
from warnd.model import cap
from warnd.resources import shipped


@pytest.fixture(scope="module")
def county() -> County:
    return invent()


@pytest.fixture(scope="module")
def cast(county: County) -> Cast:
    return give_parts(county)


def test_the_shipped_regions_are_what_the_code_makes(county: County) -> None:
    path = shipped("config") / "demo" / "regions.geojson"
    assert path.read_text("utf-8") == geojson(county), (
        "run: python -m warnd.cli.demo.county > config/demo/regions.geojson"
    )


def test_there_are_8_townships_and_120_villages_with_unique_names_and_codes(county: County) -> None:
    assert len(county.townships) == 8
    assert len(county.villages) == 120
    for name in ("code", "name", "name_en"):
        assert len({getattr(region, name) for region in county.regions}) == 129
    assert {village.parent for village in county.villages} == {township.code for township in county.townships}


def test_villages_tile_their_townships_and_townships_the_county(county: County) -> None:
    whole = Polygon(county.county.ring)
    for township in county.townships:
        shape = Polygon(township.ring)
        inside = [Polygon(village.ring) for village in county.villages if village.parent == township.code]
        assert sum(village.area for village in inside) == pytest.approx(shape.area)
        assert unary_union(inside).symmetric_difference(shape).area == pytest.approx(0, abs=1e-9)
    assert sum(Polygon(township.ring).area for township in county.townships) == pytest.approx(whole.area)


@given(st.integers(), st.integers(1, 8), st.integers(1, 8))
def test_every_cell_is_a_simple_counter_clockwise_shape_around_its_middle(seed: int, columns: int, rows: int) -> None:
    tiling = Tiling.draw(columns, rows, south_west=(150.0, 30.0), cell_deg=0.03, random=Random(seed))
    for column in range(columns):
        for row in range(rows):
            ring = tiling.ring(column, row)
            shape = Polygon(ring)
            assert shape.is_valid
            assert shape.exterior.is_ccw
            assert shape.contains(Point(middle(ring)))


def test_the_directory_has_the_promised_numbers(county: County, cast: Cast, tmp_path: Path) -> None:
    people = invent_people(county, cast, random=Random(1))
    assert Counter(each.kind for each in people) == {"person": 600, "household": 3000}
    assert sum(map(len, speaker_ids(cast).values())) == 120
    assert len({each.id for each in people}) == 3600
    phones = [each.phone for each in people if each.phone]
    assert len(set(phones)) == len(phones) == 3599
    assert {phone[:4] for phone in phones} == {"+999"}
    write_csv(tmp_path / "recipients.csv", people)
    with (tmp_path / "recipients.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3600
    assert tuple(rows[0]) == COLUMNS


def test_every_reason_of_this_version_occurs_and_nine_tenths_can_be_confirmed(cast: Cast) -> None:
    truth = Counter(cast.truth.values())
    reasons = {"no_terminal", "offline", "refused", "amplifier", "not_played", "no_officer", "officer_silent"}
    assert set(truth) == reasons | {CONFIRMED}
    assert truth[CONFIRMED] >= 108


@pytest.mark.parametrize(
    ("part", "truth"),
    [
        (Part(), "confirmed"),
        (Part((Speaker.LATE,)), "confirmed"),
        (Part((Speaker.DARK, Speaker.FINE)), "confirmed"),
        (Part((), Officer.OFF), "no_terminal"),
        (Part((Speaker.DARK, Speaker.DARK), Officer.OFF), "offline"),
        (Part((Speaker.DARK, Speaker.BROKEN)), "amplifier"),
        (Part((Speaker.STRANGER,), Officer.UNLISTED), "refused"),
        (Part((Speaker.MUTE,), Officer.SILENT), "not_played"),
        (Part(officer=Officer.UNLISTED), "no_officer"),
        (Part(officer=Officer.SILENT), "officer_silent"),
        (Part(officer=Officer.OFF), "officer_silent"),
    ],
)
def test_the_truth_follows_from_the_part(part: Part, truth: str) -> None:
    assert part.truth == truth


def test_the_comparison_finds_every_kind_of_difference() -> None:
    truth = {"a": CONFIRMED, "b": "offline", "c": CONFIRMED, "d": "amplifier"}
    same = compare(truth, unconfirmed={"b": "offline", "d": "amplifier"}, targeted=4)
    assert (same.confirmed, same.wrong) == (2, ())
    other = compare(truth, unconfirmed={"b": "not_played", "c": "pending", "x": "offline"}, targeted=5)
    assert other.wrong == (
        ("b", "offline", "not_played"),
        ("c", "confirmed", "pending"),
        ("d", "amplifier", "confirmed"),
        ("x", "not targeted", "offline"),
        ("all villages", "4 targeted", "5 targeted"),
    )


def test_the_flood_becomes_one_of_this_minute() -> None:
    now = datetime(2031, 5, 6, 7, 8, 9, 999, UTC)
    before, after = cap.parse(flood_document()), cap.parse(freshen(flood_document(), now))
    assert after.sent == now.replace(microsecond=0)
    assert after.identifier != before.identifier
    assert after.expires == after.sent + timedelta(hours=6)
    assert [info.instruction for info in after.infos] == [info.instruction for info in before.infos]
    assert cap.check(after, now=now, future_tolerance_s=0, levels=cap.LevelRules()) == ()


def test_phones_behave_as_the_parts_say(county: County, cast: Cast) -> None:
    people = invent_people(county, cast, random=Random(1))
    phones = behaviours(people, cast, random=Random(2))
    for person in people:
        if person.roles == "information_officer" and person.phone:
            behaviour, officer = phones[person.phone], cast.parts[person.region].officer
            assert (behaviour.on, behaviour.on and behaviour.answers) == (
                officer is not Officer.OFF,
                officer is Officer.ANSWERS and not person.email,  # Who reads mail answers there.
            )
    households = [phones[person.phone] for person in people if person.kind == "household"]
    assert not any(behaviour.on and behaviour.answers for behaviour in households)
    assert 30 < sum(not behaviour.on for behaviour in households) < 200
