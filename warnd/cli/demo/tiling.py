"""Cuts a rectangle into irregular quadrilaterals that share their borders: the shapes of an invented county. Pure."""

from dataclasses import dataclass
from random import Random

Point = tuple[float, float]  # Longitude, latitude in degrees, as GeoJSON writes them (RFC 7946 §3.1.1).
Ring = tuple[Point, ...]

_JITTER = (
    0.22  # Of a cell: below half, so that no two borders ever cross, and small enough to keep every middle inside.
)
_DIGITS = 5  # About a metre.


@dataclass(frozen=True, slots=True)
class Tiling:
    """Columns times rows of cells; cell (0, 0) lies south-west."""

    columns: int
    rows: int
    corners: tuple[tuple[Point, ...], ...]  # [row][column], one more of each than there are cells.

    @classmethod
    def draw(cls, columns: int, rows: int, *, south_west: Point, cell_deg: float, random: Random) -> "Tiling":
        """Draw a tiling whose corners are moved at random; equal seeds give equal tilings."""

        def corner(column: int, row: int) -> Point:
            lon = south_west[0] + (column + random.uniform(-_JITTER, _JITTER)) * cell_deg
            lat = south_west[1] + (row + random.uniform(-_JITTER, _JITTER)) * cell_deg
            return round(lon, _DIGITS), round(lat, _DIGITS)

        return cls(columns, rows, tuple(tuple(corner(c, r) for c in range(columns + 1)) for r in range(rows + 1)))

    def ring(self, column: int, row: int, *, columns: int = 1, rows: int = 1) -> Ring:
        """Return the closed border of a block of cells, counter-clockwise (RFC 7946 §3.1.6)."""
        right, top = column + columns, row + rows
        border = [self.corners[row][c] for c in range(column, right)]
        border += [self.corners[r][right] for r in range(row, top)]
        border += [self.corners[top][c] for c in range(right, column, -1)]
        border += [self.corners[r][column] for r in range(top, row, -1)]
        return (*border, border[0])


def middle(ring: Ring) -> Point:
    """Return the mean of a ring's corners."""
    corners = ring[:-1]
    lon = sum(point[0] for point in corners) / len(corners)
    lat = sum(point[1] for point in corners) / len(corners)
    return round(lon, _DIGITS), round(lat, _DIGITS)
