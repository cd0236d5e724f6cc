"""Geometry against brute force: every answer of the prepared shapes is asked again the slow way."""

import math
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from warnd.model.area import Area, area_of_circles, area_of_polygons, circle_shape
from warnd.model.cap.alert import Circle, Point

tenths = st.integers(-40, 40).map(lambda n: n / 10)


@st.composite
def rings(draw: st.DrawFn) -> tuple[Point, ...]:
    """A star-shaped ring round a centre, latitude first and closed, as CAP has it."""
    lat, lon = draw(tenths), draw(tenths)
    radii = draw(st.lists(st.floats(0.2, 4), min_size=3, max_size=12))
    turn = 2 * math.pi / len(radii)
    points = [(lat + r * math.sin(i * turn), lon + r * math.cos(i * turn)) for i, r in enumerate(radii)]
    return (*points, points[0])


def inside(ring: tuple[Point, ...], lat: float, lon: float) -> bool:
    """Count how often a ray from the point crosses the ring."""
    crossings = 0
    for (lat1, lon1), (lat2, lon2) in pairwise(ring):
        if (lat1 > lat) != (lat2 > lat) and lon < lon1 + (lat - lat1) / (lat2 - lat1) * (lon2 - lon1):
            crossings += 1
    return crossings % 2 == 1


@given(
    st.lists(rings(), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=30),
)
@settings(deadline=None)
def test_points_are_found_as_by_counting_crossings(found: list[tuple[Point, ...]], points: list[Point]) -> None:
    area = area_of_polygons(found)
    edges = shapely.union_all([shapely.LineString([(lon, lat) for lat, lon in ring]) for ring in found])
    far = [(lat, lon) for lat, lon in points if edges.distance(shapely.Point(lon, lat)) > 1e-9]
    assume(far)
    held = area.holds([lon for _, lon in far], [lat for lat, _ in far])
    assert held.tolist() == [any(inside(ring, lat, lon) for ring in found) for lat, lon in far]


@given(st.lists(rings(), min_size=1, max_size=3), st.lists(rings(), min_size=1, max_size=8))
@settings(deadline=None)
def test_shapes_are_met_where_they_share_ground(
    found: list[tuple[Point, ...]], villages: list[tuple[Point, ...]]
) -> None:
    area = area_of_polygons(found)
    drawn = [shapely.Polygon([(lon, lat) for lat, lon in ring]) for ring in villages]
    shared = [
        max(shapely.Polygon([(x, y) for y, x in ring]).intersection(each).area for ring in found) for each in drawn
    ]
    for met, share in zip(area.meets([shapely.to_wkb(each) for each in drawn]), shared, strict=True):
        assert met or share < 1e-9
        assert not met or share > 0
    west, south, east, north = shapely.bounds(np.array(drawn)).T
    sure, unsure = area.meets_boxes(west, south, east=east, north=north)
    for certain, doubtful, share in zip(sure, unsure, shared, strict=True):
        assert certain or doubtful or share == 0
        assert not certain or share > 0


def square(south: float, west: float, side: float = 1.0) -> tuple[Point, ...]:
    return ((south, west), (south, west + side), (south + side, west + side), (south + side, west), (south, west))


@pytest.mark.parametrize(
    ("village", "met"),
    [
        (square(10, 20), True),
        (square(10.9, 20.9), True),
        (square(11, 20), False),  # along an edge
        (square(11, 21), False),  # at a corner
        (square(10.2, 20.2, 0.1), True),
        (square(5, 15, 20), True),
    ],
)
def test_touching_is_not_meeting(village: tuple[Point, ...], *, met: bool) -> None:
    area = area_of_polygons([square(10, 20)])
    shape = shapely.Polygon([(lon, lat) for lat, lon in village])
    assert area.meets([shapely.to_wkb(shape)]).tolist() == [met]


def test_a_point_on_the_edge_is_not_inside() -> None:
    assert area_of_polygons([square(10, 20)]).holds([20, 20.5, 20.5], [10.5, 10.5, 11]).tolist() == [False, True, False]


def test_latitude_comes_first_in_cap_and_second_here() -> None:
    assert area_of_polygons([square(10, 100)]).bounds == (100, 10, 101, 11)


def test_no_shapes_make_an_area_that_is_nowhere() -> None:
    assert not area_of_polygons([])
    assert not Area([])


def ground_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance by the haversine formula on the mean Earth."""
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * math.asin(min(1, math.sqrt(h)))


@given(
    st.floats(-89.9, 89.9),
    st.floats(-180, 180),
    st.floats(0.5, 3000),
    st.lists(st.tuples(st.floats(0, 1.5), st.floats(0, 6.28)), min_size=5, max_size=20),
)
@settings(deadline=None)
def test_a_circle_holds_what_is_nearer_than_its_radius(
    lat: float, lon: float, radius: float, places: list[tuple[float, float]]
) -> None:
    area = area_of_circles([Circle(lat, lon, radius)])
    for share, bearing in places:
        if abs(share - 1) < 0.01:
            continue  # The drawn circle has corners.
        angle = share * radius / 6371.0088
        there = math.asin(
            max(
                -1,
                min(
                    1,
                    math.sin(math.radians(lat)) * math.cos(angle)
                    + math.cos(math.radians(lat)) * math.sin(angle) * math.cos(bearing),
                ),
            )
        )
        east = math.atan2(
            math.sin(bearing) * math.sin(angle) * math.cos(math.radians(lat)),
            math.cos(angle) - math.sin(math.radians(lat)) * math.sin(there),
        )
        lon2 = (lon + math.degrees(east) + 180) % 360 - 180
        lat2 = math.degrees(there)
        if abs(abs(lon2) - 180) < 1e-6 or abs(lat2) > 89.999:
            continue  # On the seam of the map every point is on an edge.
        near = ground_km(lat, lon, lat2, lon2) < radius
        assert area.holds([lon2], [lat2]).tolist() == [near]


def test_a_circle_at_70_degrees_is_wide_in_longitude() -> None:
    west, south, east, north = circle_shape(Circle(70, 25, 111.195)).bounds
    assert (north - south) / 2 == pytest.approx(1, rel=1e-3)
    assert (east - west) / 2 == pytest.approx(1 / math.cos(math.radians(70)), rel=0.01)


def test_a_circle_crosses_the_date_line() -> None:
    area = area_of_circles([Circle(-17, 179.9, 50)])
    assert area.holds([179.8, -179.9, 179.0, -179.0], [-17, -17, -17, -17]).tolist() == [True, True, False, False]


def test_a_circle_round_the_pole_holds_every_longitude() -> None:
    area = area_of_circles([Circle(89, 0, 300)])
    assert area.holds([0, 90, -90, 179, 0], [88, 89, 89, 88.9, 86]).tolist() == [True, True, True, True, False]


def test_a_circle_of_radius_zero_is_the_place_it_lies_in() -> None:
    area = area_of_circles([Circle(10.5, 20.5, 0)])
    shapes = [shapely.to_wkb(shapely.box(20, 10, 21, 11)), shapely.to_wkb(shapely.box(21, 10, 22, 11))]
    assert area.meets(shapes).tolist() == [True, False]


def test_a_circle_over_half_the_globe_is_everywhere() -> None:
    assert area_of_circles([Circle(0, 0, 20_000)]).holds([-179, 179], [-89, 89]).all()


def test_a_ring_that_touches_itself_keeps_its_ground() -> None:
    """Feeds cut holes by walking in and out along one line."""
    ring = ((0, 0), (0, 4), (4, 4), (4, 0), (0, 0), (1, 1), (3, 1), (3, 3), (1, 3), (1, 1), (0, 0))
    area = area_of_polygons([tuple((float(a), float(b)) for a, b in ring)])
    assert area.holds([0.5, 2.0], [3.5, 2.0]).tolist() == [True, False]


def test_thousands_of_circles_are_drawn_roughly_and_leave_nobody_out() -> None:
    elsewhere = [Circle(-40, number / 100, 1) for number in range(2_000)]
    rim = [(30 + 0.0898 * math.sin(turn / 20), 103 + 0.1037 * math.cos(turn / 20)) for turn in range(126)]  # 10 km.
    area = area_of_circles([*elsewhere, Circle(30, 103, 10.1)])
    assert area.holds([lon for _, lon in rim], [lat for lat, _ in rim]).all()
    assert not area.holds([103.12, 103], [30, 30.11]).any()
