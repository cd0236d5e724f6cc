"""Who and where, as it is read: regions, recipients, seats and the aliases of geocodes.

Everything here sees one directory revision. What an import under way has already written carries a later one and stays invisible.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, text, tuple_

from warnd.ledger import schema
from warnd.ledger.values import many
from warnd.model.region import Jurisdiction, is_national, prefix, stored_code, subtree

_BUILT_IN = frozenset({"region_code", "adcode", "区划代码"})
_PAGE = 1_000
# Which version `v` of a recipient stands at the directory revision :rev.
VISIBLE = "v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev)"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in degrees; `west` is never greater than `east`."""

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A region as it stands. `names` maps a language to the name in it; `lat`, `lon` are degrees."""

    code: str
    name: str
    names: Mapping[str, str]
    tier: str
    parent: str | None
    path: str
    lat: float | None
    lon: float | None


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A recipient as it stands; `seats` are (role, region code) pairs, sorted."""

    no: int
    version_no: int
    id: str
    kind: str
    name: str
    region: str
    lang: str
    phone: str | None
    email: str | None
    lat: float | None
    lon: float | None
    public_key: str | None
    seats: tuple[tuple[str, str], ...]


def revision(conn: Connection) -> int:
    """Return the directory's current revision; 0 while nothing was ever imported."""
    value = conn.execute(text("SELECT value FROM meta WHERE key = 'directory_rev'")).scalar_one_or_none()
    return int(value or 0)


def find_regions(conn: Connection, *, codes: Collection[str]) -> dict[str, RegionRow]:
    """Return the known ones among the stored codes, by code."""
    rows = _by_codes(conn, f"{_REGION} WHERE r.from_rev <= :rev AND r.code IN :codes", list(codes))
    return {row.code: _region(row) for row in rows}


def children(conn: Connection, *, parent: str | None, jurisdiction: Collection[str] = ()) -> list[RegionRow]:
    """Return the regions directly below `parent`, by code.

    Args:
        conn: Reads only.
        parent: A stored code. Without it, the regions directly below the jurisdiction's own.
        jurisdiction: Codes as in `node.jurisdiction`; without them and without a parent, the outermost regions are returned.
    """
    above = [parent] if parent is not None else [stored_code(code) for code in jurisdiction]
    where = "r.parent IN :above" if above else "r.parent IS NULL"
    statement = f"{_REGION} WHERE r.from_rev <= :rev AND {where} ORDER BY r.code"
    prepared = many(statement, "above", of=str) if above else text(statement)
    return [
        _region(row) for row in conn.execute(prepared, {"rev": revision(conn), **({"above": above} if above else {})})
    ]


def find_jurisdiction(conn: Connection, *, codes: Collection[str]) -> Jurisdiction:
    """Return what `node.jurisdiction` covers in this directory; no codes mean no limit."""
    known = find_regions(conn, codes=[stored_code(code) for code in codes])
    unknown = [code for code in map(stored_code, codes) if code not in known]
    return Jurisdiction(
        paths=tuple(region.path for region in known.values()),
        prefixes=tuple(prefix(code) for code in unknown if is_national(code)),
        everywhere=not codes,
    )


def resolve_geocodes(conn: Connection, *, geocodes: Collection[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    """Return for each CAP geocode, (valueName, value), the stored code of the region that it means, or None.

    `region_code`, `adcode` and 区划代码 name regions by their own code; every scheme, these too, may be extended by imported
    aliases. Schemes are compared without case.
    """
    read = {given: (given[0].strip().casefold(), given[1].strip()) for given in geocodes}
    own = {value: stored_code(value) for scheme, value in read.values() if scheme in _BUILT_IN}
    known = find_regions(conn, codes=list(own.values()))
    found = {
        (scheme, value): own[value] for scheme, value in read.values() if scheme in _BUILT_IN and own[value] in known
    }
    found |= _aliases(conn, [key for key in dict.fromkeys(read.values()) if key not in found])
    return {given: found.get(key) for given, key in read.items()}


def _aliases(conn: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    alias, region = schema.region_alias.c, schema.region.c
    wanted = (
        select(alias.scheme, alias.value, alias.region)
        .join(schema.region, region.code == alias.region)
        .where(region.from_rev <= revision(conn))
    )
    found: dict[tuple[str, str], str] = {}
    for start in range(0, len(keys), _PAGE):
        page = wanted.where(tuple_(alias.scheme, alias.value).in_(keys[start : start + _PAGE]))
        found |= {(row.scheme, row.value): row.region for row in conn.execute(page)}
    return found


_TERMINAL_KEY = text(
    "SELECT v.public_key FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no "
    "JOIN (SELECT coalesce(max(CAST(value AS INTEGER)), 0) AS rev FROM meta WHERE key = 'directory_rev') m "
    "ON v.from_rev <= m.rev AND (v.to_rev IS NULL OR v.to_rev > m.rev) WHERE c.id = :id AND v.kind = 'terminal'"
)


def terminal_key(conn: Connection, *, terminal_id: str) -> bytes | None:
    """Return the 32 raw bytes of a terminal's public key, or None if no such terminal is registered now."""
    key: str | None = conn.execute(_TERMINAL_KEY, {"id": terminal_id}).scalar()
    return None if key is None else base64.urlsafe_b64decode(key + "=")


def recipient(conn: Connection, *, recipient_id: str) -> RecipientRow | None:
    """Return the recipient as it stands now, or None."""
    row = conn.execute(
        text(
            "SELECT c.no, v.no AS version_no, c.id, v.kind, v.name, v.region, v.lang, v.phone, v.email, v.lat, v.lon, "
            "v.public_key FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no "
            f"WHERE c.id = :id AND {VISIBLE}"
        ),
        {"id": recipient_id, "rev": revision(conn)},
    ).one_or_none()
    if row is None:
        return None
    seats = conn.execute(
        text("SELECT role, region FROM seat WHERE version_no = :no ORDER BY role, region"), {"no": row.version_no}
    )
    return RecipientRow(**row._mapping, seats=tuple((seat.role, seat.region) for seat in seats))  # noqa: SLF001 - the documented way to a row's names


@dataclass(frozen=True, slots=True)
class Villages:
    """A page of villages, column by column: path, and the box of the shape or, without extent, the point."""

    paths: tuple[str, ...]
    west: tuple[float, ...]
    south: tuple[float, ...]
    east: tuple[float, ...]
    north: tuple[float, ...]


def candidates(conn: Connection, *, box: Box) -> Iterator[Villages]:
    """Yield the villages whose own box meets `box`, in pages; a village with neither shape nor point is never one."""
    yield from (
        Villages(*page)
        for page in _pages(
            conn,
            "SELECT path, min_lon, min_lat, max_lon, max_lat FROM region WHERE tier = 'village' AND from_rev <= :rev "
            "AND min_lat <= :north AND max_lat >= :south AND min_lon <= :east AND max_lon >= :west",
            {"rev": revision(conn), **asdict(box)},
        )
    )


@dataclass(frozen=True, slots=True)
class Points:
    """A page of recipients with a point of their own, column by column."""

    numbers: tuple[int, ...]
    lats: tuple[float, ...]
    lons: tuple[float, ...]
    regions: tuple[str, ...]


def recipient_points(conn: Connection, *, box: Box, rev: int) -> Iterator[Points]:
    """Yield the recipients at revision `rev` whose own point lies in `box`, in pages."""
    yield from (
        Points(*page)
        for page in _pages(
            conn,
            "SELECT v.recipient_no, v.lat, v.lon, v.region FROM recipient_version v WHERE v.lat BETWEEN :south AND :north "
            "AND v.lon BETWEEN :west AND :east AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev)",
            {"rev": rev, **asdict(box)},
        )
    )


def shapes(conn: Connection, *, codes: Sequence[str]) -> dict[str, bytes]:
    """Return the shapes (WKB) of those regions that have one, by code."""
    rows = _by_codes(conn, "SELECT code, shape FROM region WHERE shape IS NOT NULL AND code IN :codes", codes)
    return {row.code: row.shape for row in rows}


def paths(conn: Connection, *, codes: Sequence[str]) -> dict[str, str]:
    """Return the paths of the known ones among the stored codes, by code."""
    rows = _by_codes(conn, "SELECT code, path FROM region WHERE from_rev <= :rev AND code IN :codes", codes)
    return {row.code: row.path for row in rows}


def villages_under(conn: Connection, *, path: str) -> list[str]:
    """Return the codes of all villages in the subtree at `path`, itself included, in order of path."""
    low, high = subtree(path)
    rows = conn.execute(
        text(
            "SELECT code FROM region WHERE path >= :low AND path < :high AND tier = 'village' AND from_rev <= :rev ORDER BY path"
        ),
        {"low": low, "high": high, "rev": revision(conn)},
    )
    return list(rows.scalars())


_REGION = "SELECT r.code, r.name, r.names, r.tier, r.parent, r.path, r.lat, r.lon FROM region r"


def _region(row: Row[Any]) -> RegionRow:
    return RegionRow(row.code, row.name, json.loads(row.names), row.tier, row.parent, row.path, row.lat, row.lon)


def _by_codes(conn: Connection, statement: str, codes: Sequence[str]) -> Iterator[Row[Any]]:
    prepared = many(statement, "codes", of=str)
    rev = {"rev": revision(conn)} if ":rev" in statement else {}
    for start in range(0, len(codes), _PAGE):
        yield from conn.execute(prepared, {"codes": codes[start : start + _PAGE], **rev}).all()


def _pages(conn: Connection, statement: str, values: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """Yield the result by columns. Small pages: measured twice as fast as one of hundreds of thousands of rows."""
    rows = conn.execute(text(statement), values).cursor  # Rows of the driver: wrapping each would double the time.
    assert rows is not None  # A SELECT has one.
    while page := rows.fetchmany(_PAGE):
        yield tuple(zip(*page, strict=True))
