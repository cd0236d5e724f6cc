"""Polygons and circles of a warning against the places of villages and people: pure geometry, in degrees.

CAP says latitude,longitude (CAP 1.2 §3.2.4); everything in here is longitude, latitude, as GeoJSON and shapely have it. A polygon's edges
are straight on the map of degrees; a circle is round on the ground.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from warnd.model.cap.alert import Circle, Point
from warnd.model.cap.geometry import polygon_shape

_EARTH_KM = 6371.0088  # Mean radius (IUGG).
_CORNERS = 180  # A circle drawn with so many lies within 0.02 % of its radius.
_MANY = (
    500  # More circles than any author draws: each is then cut out roughly, with a little more ground rather than less.
)
_ROUGH_CORNERS = 16
_SMALLEST_KM = 0.001  # A circle of radius 0 is a point (CAP 1.2 §3.2.4): a metre round it still meets what it lies in.
_AT_ONCE = 500
_WORLD = shapely.box(-180, -90, 180, 90)

Mask = NDArray[np.bool_]


class Area:
    """The ground covered by one or more shapes, prepared for many questions.

    Touching is not meeting: a village beside the edge shares no ground with the area.
    """

    def __init__(self, shapes: Iterable[Any]) -> None:
        """Unite valid or self-touching polygons; without any, nothing is ever met."""
        self._shape = ground(shapely.union_all(list(_united(shapes))))
        shapely.prepare(self._shape)

    def __bool__(self) -> bool:
        """Say whether it covers any ground."""
        return not self._shape.is_empty

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north. Asked of an empty area these are no numbers."""
        west, south, east, north = self._shape.bounds
        return west, south, east, north

    def holds(self, lons: Sequence[float], lats: Sequence[float]) -> Mask:
        """Say for each point whether it lies within."""
        found: Mask = shapely.contains_xy(self._shape, np.asarray(lons, float), np.asarray(lats, float))
        return found

    def meets_boxes(
        self, west: Sequence[float], south: Sequence[float], *, east: Sequence[float], north: Sequence[float]
    ) -> tuple[Mask, Mask]:
        """Say for each box whether anything in it is surely met, and whether that takes a look at what is in it.

        A box without extent is a point, for which the first answer is final.
        """
        lows, highs = np.array((west, south), float), np.array((east, north), float)
        points = (lows == highs).all(axis=0)
        sure, unsure = np.zeros(len(points), bool), np.zeros(len(points), bool)
        sure[points] = self.holds(lows[0, points], lows[1, points])
        boxes = shapely.box(*lows[:, ~points], *highs[:, ~points])
        sure[~points] = shapely.contains(self._shape, boxes)
        unsure[~points] = shapely.intersects(self._shape, boxes) & ~sure[~points]
        return sure, unsure

    def meets(self, shapes: Sequence[bytes]) -> Mask:
        """Say for each polygon, in WKB, whether it shares ground with the area."""
        drawn = shapely.from_wkb(np.array(shapes, object))
        found: Mask = shapely.intersects(self._shape, drawn) & ~shapely.touches(self._shape, drawn)
        return found


def _united(shapes: Iterable[Any]) -> Iterator[Any]:
    """Unite shapes some at a time: a hostile document has tens of thousands, and each takes some kilobytes."""
    rest = iter(shapes)
    while some := [ground(shape) for shape in islice(rest, _AT_ONCE)]:
        yield shapely.union_all(some)


def area_of_polygons(polygons: Iterable[Sequence[Point]]) -> Area:
    """Return the area of usable CAP polygons (`warnd.model.cap.geometry` says which are); one that repeats counts once."""
    shapes = (polygon_shape(tuple(points)) for points in dict.fromkeys(map(tuple, polygons)))
    return Area(shape for shape in shapes if shape is not None)


def area_of_circles(circles: Iterable[Circle]) -> Area:
    """Return the area of CAP circles: kilometres on the ground, at any latitude, across the date line too."""
    distinct = dict.fromkeys(circles)
    corners = _CORNERS if len(distinct) <= _MANY else _ROUGH_CORNERS
    return Area(circle_shape(circle, corners=corners) for circle in distinct)


def circle_shape(circle: Circle, *, corners: int = _CORNERS) -> Any:
    """Return the circle as a polygon in degrees. One that covers half the globe or more counts as all of it.

    With few corners the polygon goes round the circle, so that nobody in it is left out.
    """
    angle = max(circle.radius_km, _SMALLEST_KM) / _EARTH_KM
    if corners < _CORNERS:
        angle /= math.cos(math.pi / corners)
    if angle >= math.pi / 2:
        return _WORLD
    lons, lats = _ring(circle, angle, corners=corners)
    if abs(math.radians(circle.lat)) + angle >= math.pi / 2:
        return _cap(lons, lats, pole=math.copysign(90, circle.lat))
    if lons.min() >= -180 and lons.max() <= 180:  # noqa: PLR2004 - degrees
        return shapely.Polygon(np.column_stack((lons, lats)))
    turned = [shapely.Polygon(np.column_stack((lons + turn, lats))) for turn in (-360, 0, 360)]
    return shapely.union_all(shapely.intersection(turned, _WORLD))


def _ring(circle: Circle, angle: float, *, corners: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitudes (around the centre's own, perhaps beyond 180) and latitudes of points at `angle` from the centre."""
    bearing = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    lat = math.radians(circle.lat)
    sin_lat = math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * np.cos(bearing)
    east = np.arctan2(np.sin(bearing) * math.sin(angle) * math.cos(lat), math.cos(angle) - math.sin(lat) * sin_lat)
    return circle.lon + np.degrees(east), np.degrees(np.arcsin(np.clip(sin_lat, -1, 1)))


def _cap(lons: NDArray[np.float64], lats: NDArray[np.float64], *, pole: float) -> Any:
    """Return the ground between a ring round a pole and the pole."""
    lons = (lons + 180) % 360 - 180
    order = np.argsort(lons)
    edge = np.interp(180, [lons[order[-1]], lons[order[0]] + 360], [lats[order[-1]], lats[order[0]]])
    ring = [(-180, pole), (-180, edge), *zip(lons[order], lats[order], strict=True), (180, edge), (180, pole)]
    return ground(shapely.make_valid(shapely.Polygon(ring)))


def ground(shape: Any) -> Any:
    """Return what of a shape has an extent, made valid; empty if nothing has."""
    if shape.geom_type == "Polygon" and shape.is_valid:
        return shape
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    return shapely.union_all([part for part in parts if part.geom_type == "Polygon"])
