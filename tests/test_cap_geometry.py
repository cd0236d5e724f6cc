import pytest

from tests.cap.alerts import SQUARE
from warnd.model.cap import Area, Circle, Point
from warnd.model.cap.geometry import (
    polygon_fault,
    polygon_shape,
    read_circle,
    read_polygon,
    usable_circles,
    usable_polygons,
    write_circle,
    write_polygon,
)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("", ()),
        (" \n ", ()),
        ("31.5,104", ((31.5, 104.0),)),
        ("\n 31.5,104\t+31.6,-104.5  .5,5.\r\n", ((31.5, 104.0), (31.6, -104.5), (0.5, 5.0))),
        ("31.5, 104 31.6 ,104", ((31.5, 104.0), (31.6, 104.0))),
        ("1e-3,2E1", ((0.001, 20.0),)),
    ],
)
def test_polygons_are_read_as_feeds_write_them(text: str, points: tuple[Point, ...]) -> None:
    assert read_polygon(text) == points


@pytest.mark.parametrize(
    "text",
    [
        "31.5",
        "31.5 104",
        "31.5,104 31.6",
        "31.5,104,7",
        "a,b",
        "nan,1",
        "inf,1",
        "1_0,1",
        "１,2",
        ",",
        "1,,2",
        "1e999,2",
    ],
)
def test_what_is_no_list_of_pairs_is_not_read(text: str) -> None:
    assert read_polygon(text) is None


@pytest.mark.parametrize(
    ("text", "circle"),
    [("31.5,104.25 10", Circle(31.5, 104.25, 10)), (" 31.5, 104.25  0.0 ", Circle(31.5, 104.25, 0))],
)
def test_circles_are_read(text: str, circle: Circle) -> None:
    assert read_circle(text) == circle


@pytest.mark.parametrize("text", ["", "31.5,104", "31.5 104 10", "31.5,104 -1", "31.5,104 ten", "1,2 3,4 5", "5"])
def test_what_is_no_circle_is_not_read(text: str) -> None:
    assert read_circle(text) is None


def test_small_and_large_numbers_are_written_in_digits_only() -> None:
    assert write_polygon(((1e-7, -0.00001), (12.0, 104.25))) == "0.0000001,-0.00001 12,104.25"
    assert write_circle(Circle(1.5, 2.0, 1e21)) == "1.5,2 1000000000000000000000"


BOW_TIE = ((0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0))
NECK = (
    (0.0, 0.0),
    (0.0, 4.0),
    (4.0, 4.0),
    (4.0, 2.0),
    (3.0, 3.0),
    (2.0, 2.0),
    (3.0, 1.0),
    (4.0, 2.0),
    (4.0, 0.0),
    (0.0, 0.0),
)


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        (SQUARE, None),
        (NECK, None),
        ((), "polygon_empty"),
        (SQUARE[:1], "polygon_empty"),
        ((SQUARE[0], SQUARE[1], SQUARE[0]), "polygon_empty"),
        ((SQUARE[0],) * 5, "polygon_empty"),
        (SQUARE[:-1], "polygon_open"),
        (BOW_TIE, "polygon_crossing"),
        (tuple((lon, lat) for lat, lon in SQUARE), "polygon_off_earth"),
        (((0.0, 0.0), (0.0, 181.0), (1.0, 0.0), (0.0, 0.0)), "polygon_off_earth"),
        (((50.0, 179.0), (50.0, -179.0), (51.0, -179.0), (50.0, 179.0)), "polygon_too_wide"),
    ],
)
def test_each_polygon_has_its_fault(points: tuple[Point, ...], fault: str | None) -> None:
    assert polygon_fault(points) == fault


def test_shapes_have_longitude_first() -> None:
    shape = polygon_shape(SQUARE)

    assert shape is not None
    assert shape.bounds == (104.0, 31.0, 104.2, 31.2)


def test_only_the_usable_parts_of_an_area_are_offered() -> None:
    area = Area(description="x", polygons=(SQUARE, BOW_TIE), circles=(Circle(95, 0, 1), Circle(31, 104, 0)))

    assert usable_polygons(area) == (SQUARE,)
    assert usable_circles(area) == (Circle(31, 104, 0),)
