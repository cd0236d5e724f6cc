"""GeoJSON geometries of regions, checked and made fit for the directory: WGS 84 degrees, longitude first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from warnd.model.area import ground
from warnd.model.reason import shorten

_KEPT_SHARE = 0.99  # A repaired shape must keep this much of the area drawn; less, and it is another shape.


class BadShape(Exception):  # noqa: N818 - the shape is
    """The geometry cannot be used; the text is the cause."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a geometry says of a region.

    Attributes:
        lat: Degrees: of the point itself, or of a point inside the shape.
        lon: Likewise.
        shape: WKB; None for a point.
        box: South, west, north, east.
        repaired: The shape crossed itself slightly and was mended.
    """

    lat: float
    lon: float
    shape: bytes | None
    box: tuple[float, float, float, float]
    repaired: bool = False


def read_outline(geometry: Any) -> Outline | None:
    """Return the outline, or None where there is no geometry.

    Raises:
        BadShape: It is no Point, Polygon or MultiPolygon on Earth, or crosses itself beyond repair.
    """
    if geometry is None:
        return None
    kind = str(geometry.get("type")) if isinstance(geometry, dict) else None
    coordinates = geometry.get("coordinates") if kind else None
    if kind == "Point":
        lon, lat = _positions([coordinates])[0]
        return Outline(float(lat), float(lon), None, (float(lat), float(lon), float(lat), float(lon)))
    if kind not in {"Polygon", "MultiPolygon"}:
        raise BadShape(f"the geometry is {shorten(str(kind))}, not Point, Polygon or MultiPolygon")
    drawn = [_polygon(rings) for rings in ([coordinates] if kind == "Polygon" else _list(coordinates))]
    return _outline(drawn[0] if kind == "Polygon" else shapely.MultiPolygon(drawn))


def _outline(drawn: Any) -> Outline:
    shape = drawn if drawn.is_valid else ground(drawn)
    if not shape.area:
        raise BadShape("the shape has no area")
    if not _KEPT_SHARE <= drawn.area / shape.area <= 1 / _KEPT_SHARE:
        raise BadShape(f"the shape crosses itself: {shapely.is_valid_reason(drawn)}")
    west, south, east, north = shape.bounds
    inside = shape.representative_point()
    wkb: bytes = shapely.to_wkb(shape)
    return Outline(inside.y, inside.x, wkb, (south, west, north, east), repaired=shape is not drawn)


def _polygon(rings: Any) -> Any:
    shell, *holes = _rings(rings)
    return shapely.Polygon(shell, holes)


def _rings(rings: Any) -> Iterator[NDArray[np.float64]]:
    for ring in _list(rings):
        positions = _positions(ring)
        if len(positions) < 4:  # noqa: PLR2004 - three corners and the first again (RFC 7946 §3.1.6)
            raise BadShape(f"a ring has only {len(positions)} positions")
        if not np.array_equal(positions[0], positions[-1]):
            raise BadShape("a ring does not end where it begins")
        yield positions


def _positions(ring: Any) -> NDArray[np.float64]:
    try:
        found = np.array(_list(ring))
    except ValueError:
        found = np.empty(0)
    if found.ndim != 2 or found.shape[1] not in {2, 3} or found.dtype.kind not in "if":  # noqa: PLR2004 - longitude, latitude, height
        raise BadShape("the coordinates are no positions of two numbers")
    lons, lats = found[:, 0], found[:, 1]
    if not np.isfinite(found).all() or abs(lons).max() > 180 or abs(lats).max() > 90:  # noqa: PLR2004 - degrees
        raise BadShape(
            "there are coordinates beyond 180 degrees of longitude or 90 of latitude (longitude comes first)"
        )
    return found[:, :2].astype(float)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadShape("the coordinates are incomplete")
    return value
