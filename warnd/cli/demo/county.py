"""The invented county: its regions with names and shapes. Made by code, so that nobody mistakes it for a real place.

Its codes begin with 99, which no province has, and it lies in the open Pacific. `python -m warnd.cli.demo.county` prints the shipped
`config/demo/regions.geojson`; equal code gives equal bytes.
"""

import json
import sys
from dataclasses import dataclass
from random import Random

from warnd.cli.demo.tiling import Ring, Tiling, middle

COUNTY = "990101000000"
_SEED = 20261121
_SOUTH_WEST = (150.0, 30.0)
_CELL_DEG = 0.03  # About three kilometres: a village and its fields.
_COLUMNS, _ROWS = 12, 10
_TOWNSHIP_COLUMNS, _TOWNSHIP_ROWS = 3, 5

_TOWNSHIPS = (
    ("澄川镇", "Chengchuan Town"),
    ("望潮镇", "Wangchao Town"),
    ("云渡镇", "Yundu Town"),
    ("鹭洲乡", "Luzhou Township"),
    ("听溪镇", "Tingxi Town"),
    ("半月乡", "Banyue Township"),
    ("枫桥口镇", "Fengqiaokou Town"),
    ("星垣乡", "Xingyuan Township"),
)
_FIRST = (
    ("石", "Shi"),
    ("柳", "Liu"),
    ("白", "Bai"),
    ("青", "Qing"),
    ("松", "Song"),
    ("双", "Shuang"),
    ("上", "Shang"),
    ("下", "Xia"),
    ("竹", "Zhu"),
    ("梅", "Mei"),
    ("龙", "Long"),
    ("沙", "Sha"),
)
_SECOND = (
    ("桥", "qiao"),
    ("坪", "ping"),
    ("湾", "wan"),
    ("岭", "ling"),
    ("溪", "xi"),
    ("塘", "tang"),
    ("渡", "du"),
    ("坝", "ba"),
    ("泉", "quan"),
    ("岗", "gang"),
)


@dataclass(frozen=True, slots=True)
class Region:
    """One region as `warnd import regions` reads it."""

    code: str
    name: str
    name_en: str
    tier: str
    parent: str
    population: int
    ring: Ring


@dataclass(frozen=True, slots=True)
class County:
    """All regions of the invented county."""

    county: Region
    townships: tuple[Region, ...]
    villages: tuple[Region, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """Every region, parents before children."""
        return (self.county, *self.townships, *self.villages)


def invent() -> County:
    """Return the county: 8 townships of 15 villages each, always the same."""
    random = Random(_SEED)  # noqa: S311 - invents a landscape, protects nothing
    tiling = Tiling.draw(_COLUMNS, _ROWS, south_west=_SOUTH_WEST, cell_deg=_CELL_DEG, random=random)
    names = [(a + b + "村", x + y + " Village") for a, x in _FIRST for b, y in _SECOND]
    random.shuffle(names)
    townships, villages = [], []
    for index, (name, name_en) in enumerate(_TOWNSHIPS):
        block = _villages(tiling, index, names, random=random)
        villages += block
        population = sum(village.population for village in block)
        ring = tiling.ring(*_corner(index), columns=_TOWNSHIP_COLUMNS, rows=_TOWNSHIP_ROWS)
        townships.append(Region(_township_code(index), name, name_en, "township", COUNTY, population, ring))
    whole = tiling.ring(0, 0, columns=_COLUMNS, rows=_ROWS)
    population = sum(village.population for village in villages)
    county = Region(COUNTY, "澄川县", "Chengchuan County", "county", "", population, whole)
    return County(county, tuple(townships), tuple(villages))


def _villages(tiling: Tiling, township: int, names: list[tuple[str, str]], *, random: Random) -> list[Region]:
    left, bottom = _corner(township)
    found = []
    for index in range(_TOWNSHIP_COLUMNS * _TOWNSHIP_ROWS):
        row, column = divmod(index, _TOWNSHIP_COLUMNS)
        name, name_en = names.pop()
        code = f"{_township_code(township)[:9]}{201 + index}"
        ring = tiling.ring(left + column, bottom + row)
        found.append(Region(code, name, name_en, "village", _township_code(township), random.randint(180, 2400), ring))
    return found


def _corner(township: int) -> tuple[int, int]:
    row, column = divmod(township, _COLUMNS // _TOWNSHIP_COLUMNS)
    return column * _TOWNSHIP_COLUMNS, row * _TOWNSHIP_ROWS


def _township_code(index: int) -> str:
    return f"990101{101 + index}000"


def geojson(county: County) -> str:
    """Return the county as a GeoJSON FeatureCollection, one region a line."""
    lines = ",\n".join(json.dumps(_feature(region), ensure_ascii=False) for region in county.regions)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'


def _feature(region: Region) -> dict[str, object]:
    lon, lat = middle(region.ring)
    properties = {
        "code": region.code,
        "name": region.name,
        "name_en": region.name_en,
        "tier": region.tier,
        "parent": region.parent,
        "lat": lat,
        "lon": lon,
        "population": region.population,
    }
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [region.ring]}}


if __name__ == "__main__":
    sys.stdout.write(geojson(invent()))
