"""Polygons and circles as CAP writes them (latitude,longitude): read, written, and judged usable or not.

The one place that says which polygon may be targeted, so that the rules and whoever finds villages cannot disagree.
"""

import math
import re
from decimal import Decimal

from shapely import Polygon, is_valid_reason

from warnd.model.cap.alert import Area, Circle, Point

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def read_polygon(text: str) -> tuple[Point, ...] | None:
    """Return the points of a `polygon` text, closed or not; () if blank, None if it is no list of coordinate pairs."""
    numbers = _pairs(_tokens(text))
    return None if numbers is None else tuple(zip(numbers[::2], numbers[1::2], strict=True))


def read_circle(text: str) -> Circle | None:
    """Return the circle of a `circle` text ("lat,lon radius", kilometres); None if it is none."""
    *centre, radius = _tokens(text) or [""]
    pair, radius_km = _pairs(centre), _number(radius)
    if pair is None or len(pair) != 2 or radius_km is None or radius_km < 0:  # noqa: PLR2004 - a pair is two
        return None
    return Circle(pair[0], pair[1], radius_km)


def write_polygon(points: tuple[Point, ...]) -> str:
    """Return the text that `read_polygon` reads."""
    return " ".join(f"{_digits(lat)},{_digits(lon)}" for lat, lon in points)


def write_circle(circle: Circle) -> str:
    """Return the text that `read_circle` reads."""
    return f"{_digits(circle.lat)},{_digits(circle.lon)} {_digits(circle.radius_km)}"


def polygon_fault(points: tuple[Point, ...]) -> str | None:
    """Return the code of the rule that makes the polygon unusable, or None if it can be targeted.

    A ring that only touches itself (a neck of width nothing, as feeds cut holes) crosses nothing and is usable.
    """
    if not points:
        return "polygon_empty"
    if not all(_on_earth(lat, lon) for lat, lon in points):
        return "polygon_off_earth"
    return "polygon_open" if points[0] != points[-1] else _ring_fault(points)


def _ring_fault(points: tuple[Point, ...]) -> str | None:
    lons = [lon for _, lon in points]
    if max(lons) - min(lons) > 180:  # noqa: PLR2004 - degrees: half the globe
        return "polygon_too_wide"
    shape = polygon_shape(points)
    if shape is None:
        return "polygon_empty"
    if is_valid_reason(shape).startswith("Self-intersection"):
        return "polygon_crossing"
    return None if shape.area else "polygon_empty"


def polygon_shape(points: tuple[Point, ...]) -> Polygon | None:
    """Return the ring in x,y order (longitude, latitude), as GeoJSON has it; None with fewer than four points.

    The shape is as drawn: where a ring touches itself shapely calls it invalid, and `shapely.make_valid` repairs it.
    """
    if len(points) < 4:  # noqa: PLR2004 - three corners and the first again (CAP 1.2 §3.2.4 `polygon`)
        return None
    return Polygon([(lon, lat) for lat, lon in points])


def circle_fault(circle: Circle) -> str | None:
    """Return the code of the rule that makes the circle unusable, or None if it can be targeted, be it as a point."""
    return None if _on_earth(circle.lat, circle.lon) else "circle_off_earth"


def usable_polygons(area: Area) -> tuple[tuple[Point, ...], ...]:
    """Return the polygons of the area that can be targeted."""
    return tuple(points for points in area.polygons if polygon_fault(points) is None)


def usable_circles(area: Area) -> tuple[Circle, ...]:
    """Return the circles of the area that can be targeted."""
    return tuple(circle for circle in area.circles if circle_fault(circle) is None)


def _on_earth(lat: float, lon: float) -> bool:
    return -90 <= lat <= 90 and -180 <= lon <= 180  # noqa: PLR2004 - degrees


def _tokens(text: str) -> list[str]:
    # Some feeds put a space after the comma; a comma taken for a word of its own reads both, in linear time.
    return text.replace(",", " , ").split()


def _pairs(tokens: list[str]) -> list[float] | None:
    if len(tokens) % 3 or any(comma != "," for comma in tokens[1::3]):
        return None
    numbers: list[float] = []
    for lat_text, lon_text in zip(tokens[::3], tokens[2::3], strict=True):
        lat, lon = _number(lat_text), _number(lon_text)
        if lat is None or lon is None:
            return None
        numbers += (lat, lon)
    return numbers


def _number(text: str) -> float | None:
    # Python would also read nan, 1_000 and digits of other scripts.
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _digits(number: float) -> str:
    text = repr(float(number))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
