from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cap.alerts import sample
from tests.fakes.register import COUNTY, PEOPLE, Register, opened
from warnd.intake.targeting import Root, Targets, resolve
from warnd.model.cap import parse
from warnd.model.cap.alert import Area, Circle, Point

TWO_COUNTIES = COUNTY + (
    "990102,邻县,county,,31.0,121.0,\n990102001,南镇,township,,31.1,121.1,\n990102001001,外村,village,,31.11,121.11,\n99,测试省,province,,,,\n"
)
EAST, WEST, SOUTH = "990101001000", "990101002000", "990102001000"


def box(south: float, west: float, north: float, east: float) -> tuple[Point, ...]:
    return ((south, west), (south, east), (north, east), (north, west), (south, west))


AROUND_ONE = box(30.105, 120.105, 30.115, 120.115)  # village 990101001001 and household h1
BOTH_COUNTIES = box(29, 119, 32, 122)


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        made.regions(TWO_COUNTIES)
        made.recipients()
        yield made


def targets(register: Register, *areas: Area, jurisdiction: tuple[str, ...] = ()) -> Targets:
    alert = parse(sample("flood_red.xml"))
    info = replace(alert.infos[0], areas=areas)
    with register.reading() as conn:
        return resolve(conn, replace(alert, infos=(info, info)), jurisdiction=jurisdiction)


def area(*codes: str, polygons: tuple[tuple[Point, ...], ...] = (), circles: tuple[Circle, ...] = ()) -> Area:
    return Area(
        description="somewhere",
        polygons=polygons,
        circles=circles,
        geocodes=tuple(("region_code", code) for code in codes),
    )


def codes(found: Targets, *, outside: bool = False) -> list[str]:
    return [root.code for root in found.roots if root.outside is outside]


def test_a_geocode_is_the_root_of_its_subtree(register: Register) -> None:
    assert targets(register, area("990101001")) == Targets(roots=(Root(EAST, "geocode", outside=False),))


def test_geocodes_add_up_and_one_within_another_is_not_repeated(register: Register) -> None:
    assert codes(targets(register, area("990101001"), area("990101001002", "990101002001"))) == [
        "990101001000",
        "990101002001",
    ]


def test_unknown_geocodes_are_listed_once_in_document_order(register: Register) -> None:
    found = targets(
        register,
        Area(description="x", geocodes=(("UGC", "CAZ006"), ("region_code", "88"), ("region_code", "990101001"))),
    )
    assert found.unknown_geocodes == (("UGC", "CAZ006"), ("region_code", "88"))
    assert codes(found) == [EAST]


def test_no_area_that_resolves_leaves_no_roots(register: Register) -> None:
    assert targets(register, area("88")) == Targets(unknown_geocodes=(("region_code", "88"),))
    assert targets(register) == Targets()


def test_a_polygon_reaches_villages_by_their_point_and_never_larger_regions(register: Register) -> None:
    found = targets(register, area(polygons=(BOTH_COUNTIES,)))
    assert {root.how for root in found.roots} == {"polygon"}
    assert codes(found) == ["990101001001", "990101001002", "990101002001", "990102001001"]
    assert codes(targets(register, area(polygons=(AROUND_ONE,)))) == ["990101001001"]


def test_a_polygon_between_the_points_reaches_nobody(register: Register) -> None:
    assert targets(register, area(polygons=(box(30.3, 120.3, 30.4, 120.4),))) == Targets()


def test_a_village_with_a_shape_is_reached_where_the_polygon_overlaps_it(register: Register) -> None:
    shape = '{"type":"Polygon","coordinates":[[[121,30],[121.2,30],[121.2,30.2],[121,30.2],[121,30]]]}'
    feature = '{"type":"Feature","properties":{"code":"990101001009","name":"四村","tier":"village"},"geometry":%s}'
    register.regions(f'{{"type":"FeatureCollection","features":[{feature % shape}]}}', name="r.geojson")
    corner = box(30.19, 121.19, 30.3, 121.3)  # overlaps the corner, far from the village's middle
    beside = box(30.2, 121.0, 30.3, 121.2)  # shares an edge only
    within = box(30.01, 121.01, 30.02, 121.02)
    assert codes(targets(register, area(polygons=(corner,)))) == ["990101001009"]
    assert codes(targets(register, area(polygons=(within,)))) == ["990101001009"]
    assert codes(targets(register, area(polygons=(beside,)))) == []


def test_a_circle_reaches_what_lies_within_its_kilometres(register: Register) -> None:
    # Village 002 lies 1.47 km from village 001.
    near, far = Circle(30.11, 120.11, 1.3), Circle(30.11, 120.11, 1.6)
    assert targets(register, area(circles=(near,))).roots == (Root("990101001001", "circle", outside=False),)
    assert codes(targets(register, area(circles=(far,)))) == ["990101001001", "990101001002"]


def test_unusable_polygons_are_passed_over(register: Register) -> None:
    opened_ring = AROUND_ONE[:-1]
    crossing = ((30.0, 120.0), (30.2, 120.2), (30.0, 120.2), (30.2, 120.0), (30.0, 120.0))
    assert targets(register, area(polygons=(opened_ring, crossing, ()))) == Targets()


def test_geocodes_and_polygons_are_united_and_their_difference_is_listed(register: Register) -> None:
    found = targets(register, area("990101002", polygons=(AROUND_ONE,)))
    assert codes(found) == ["990101001001", "990101002000"]
    assert found.only_by_geocode == ("990101002001",)
    assert found.only_by_polygon == ("990101001001",)


def test_a_village_under_a_geocoded_root_is_not_repeated(register: Register) -> None:
    found = targets(register, area("990101001", polygons=(AROUND_ONE,)))
    assert found.roots == (Root(EAST, "geocode", outside=False),)
    assert found.only_by_geocode == ("990101001002",)
    assert found.only_by_polygon == ()


def test_what_lies_outside_the_jurisdiction_is_listed_as_outside(register: Register) -> None:
    found = targets(register, area("990102001", polygons=(BOTH_COUNTIES,)), jurisdiction=("990101",))
    assert codes(found) == ["990101001001", "990101001002", "990101002001"]
    assert codes(found, outside=True) == [SOUTH]


def test_a_wider_region_means_the_jurisdictions_own_part_of_it(register: Register) -> None:
    found = targets(register, area("99"), jurisdiction=("990101",))
    assert found.roots == (
        Root("990000000000", "geocode", outside=True),
        Root("990101000000", "geocode", outside=False),
    )


def test_a_jurisdiction_that_was_never_imported_still_limits(tmp_path: Path) -> None:
    with opened(tmp_path) as register:
        register.regions(TWO_COUNTIES.replace("99,测试省,province,,,,\n", ""))
        assert codes(targets(register, area("990101", "990102"), jurisdiction=("99",))) == [
            "990101000000",
            "990102000000",
        ]
        assert codes(targets(register, area("990101"), jurisdiction=("88",)), outside=True) == ["990101000000"]


def test_recipients_with_their_own_point_inside_are_reached_wherever_they_are_registered(register: Register) -> None:
    away = PEOPLE + "h2,household,钱家,990101002001,,,13600136000,,30.1101,120.1101,\n"
    away += "h3,household,孙家,990102001001,,,13500135000,,30.1101,120.1102,\n"
    register.recipients(away)
    everywhere = targets(register, area(polygons=(AROUND_ONE,)))
    own = targets(register, area(polygons=(AROUND_ONE,)), jurisdiction=("990101",))
    assert names(register, everywhere) == ["h1", "h2", "h3"]
    assert names(register, own) == ["h1", "h2"]
    assert codes(own) == ["990101001001"]
    assert names(register, targets(register, area("990101001"))) == []


def names(register: Register, found: Targets) -> list[str]:
    ids = {row[0]: row[1] for row in register.tables()["recipient"]}
    assert list(found.recipients) == sorted(found.recipients)
    return sorted(ids[number] for number in found.recipients)
