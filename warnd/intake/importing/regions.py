"""What a row of regions says, on its own: `code,name,tier,parent,lat,lon,population` and names in other languages."""

import re
from typing import NamedTuple

from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problems
from warnd.intake.importing.row import Fields, Row
from warnd.intake.importing.shapes import BadShape, Outline, read_outline
from warnd.ledger.values import dumps
from warnd.model.region import TIERS

HEADER = Header(
    needed=("code", "name", "tier"),
    optional=("parent", "lat", "lon", "population"),
    pattern=(r"name_[a-z]{2,3}(-[a-z0-9]{2,8})*", "name_<language>"),
)
_COUNT = re.compile(r"[0-9]{1,10}")
_NAME_MAX = 200


class RegionEntry(NamedTuple):
    """A region as the file has it; `parent` is "" where it is to be found from the code. The rest is as in the directory."""

    code: str
    name: str
    names: str
    tier: str
    parent: str
    lat: float | None
    lon: float | None
    population: int | None
    shape: bytes | None
    min_lat: float | None
    min_lon: float | None
    max_lat: float | None
    max_lon: float | None


def read_region(row: Row, problems: Problems, *, repaired: Problems) -> RegionEntry | None:
    """Return what the row says, or None if it has faults."""
    fields = Fields(row, problems)
    code, parent = fields.code("code"), fields.code("parent", needed=False)
    name = fields.text("name", longest=_NAME_MAX, needed=True)
    tier, population = _tier(fields), _population(fields)
    point, outline = fields.point(), _outline(fields, row, repaired=repaired)
    if code and parent == code:
        fields.fail("parent", "is the region itself", "Name the region around it, or leave it empty.")
    if point and outline:
        _compare(fields, point, outline)
    if not fields.sound:
        return None
    lat, lon = point or ((outline.lat, outline.lon) if outline else (None, None))
    box = outline.box if outline and outline.shape else (lat, lon, lat, lon)
    return RegionEntry(
        code, name, _names(fields, row), tier, parent, lat, lon, population, outline.shape if outline else None, *box
    )


def _tier(fields: Fields) -> str:
    tier = fields.get("tier").casefold()
    if tier not in TIERS:
        fields.fail("tier", f"'{tier}' is no tier", f"Use one of {', '.join(TIERS)}.")
    return tier


def _population(fields: Fields) -> int | None:
    text = fields.get("population")
    if text and not _COUNT.fullmatch(text):
        fields.fail("population", f"'{text[:40]}' is no number of people", "Write digits only, or leave it empty.")
        return None
    return int(text) if text else None


def _names(fields: Fields, row: Row) -> str:
    columns = [column for column in row.values if column.startswith("name_") and row.values[column]]
    return dumps({column.removeprefix("name_"): fields.text(column, longest=_NAME_MAX) for column in columns})


def _outline(fields: Fields, row: Row, *, repaired: Problems) -> Outline | None:
    try:
        outline = read_outline(row.geometry)
    except BadShape as error:
        fields.fail("geometry", str(error), "Draw it again in WGS 84 degrees, rings closed and without crossings.")
        return None
    if outline and outline.repaired:
        Fields(row, repaired).fail(
            "geometry", "the shape crossed itself slightly and was mended", "Nothing need be done."
        )
    return outline


def _compare(fields: Fields, point: tuple[float, float], outline: Outline) -> None:
    lat, lon = point
    if not _within(lat, lon, outline) and _within(lon, lat, outline):
        fields.fail("lat", "lat and lon look swapped: the other way round they lie in the shape", "Swap them.")


def _within(lat: float, lon: float, outline: Outline) -> bool:
    south, west, north, east = outline.box
    return south <= lat <= north and west <= lon <= east
