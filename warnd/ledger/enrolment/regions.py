"""Regions on their way in and out of the directory."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from warnd.ledger.directory import VISIBLE, revision
from warnd.ledger.schema import region
from warnd.ledger.values import many
from warnd.model.gazetteer import keys


class RegionFacts(NamedTuple):
    """A region as its row has it. A tuple, because hundreds of thousands of them are compared.

    `names` is canonical JSON, `shape` WKB in longitude-latitude order; the box is that of the shape, or the point.
    """

    code: str
    name: str
    names: str
    tier: str
    parent: str | None
    path: str
    lat: float | None
    lon: float | None
    population: int | None
    shape: bytes | None
    min_lat: float | None
    min_lon: float | None
    max_lat: float | None
    max_lon: float | None


class Upper(NamedTuple):
    """A region that can have others below it."""

    code: str
    tier: str
    parent: str | None
    path: str
    lat: float | None
    lon: float | None


PLACE = ("tier", "parent", "path")
"""What says where a region is in the tree."""

_COLUMNS = [region.c[name] for name in RegionFacts._fields]


def standing(conn: Connection, *, codes: Sequence[str]) -> dict[str, RegionFacts]:
    """Return those of the regions that are in the directory, by code."""
    rows = conn.execute(select(*_COLUMNS).where(region.c.code.in_(codes), region.c.from_rev <= revision(conn)))
    return {row.code: RegionFacts._make(row) for row in rows}


def uppers(conn: Connection) -> Iterator[Upper]:
    """Yield every region above the villages."""
    rows = conn.execute(
        text("SELECT code, tier, parent, path, lat, lon FROM region WHERE tier <> 'village' AND from_rev <= :rev"),
        {"rev": revision(conn)},
    )
    return (Upper._make(row) for row in rows)


def villages_of(conn: Connection, *, parent: str) -> list[str]:
    """Return the codes of the villages directly below `parent`."""
    rows = conn.execute(
        text("SELECT code FROM region WHERE parent = :parent AND tier = 'village' AND from_rev <= :rev"),
        {"parent": parent, "rev": revision(conn)},
    )
    return list(rows.scalars())


def codes_after(conn: Connection, *, after: str, limit: int) -> list[str]:
    """Return up to `limit` codes in order, beginning behind `after`."""
    rows = conn.execute(
        text("SELECT code FROM region WHERE code > :after AND from_rev <= :rev ORDER BY code LIMIT :limit"),
        {"after": after, "rev": revision(conn), "limit": limit},
    )
    return list(rows.scalars())


def users(conn: Connection, *, codes: Sequence[str]) -> dict[str, str]:
    """Return for each of the regions that something still points to what that is, in words."""
    found: dict[str, str] = {}
    for what, statement in _USERS.items():
        values = {"codes": codes, **({"rev": revision(conn)} if ":rev" in statement else {})}
        rows = conn.execute(many(statement, "codes", of=str), values)
        found |= {code: f"{what} {name}" for code, name in rows}
    return found


_USERS = {
    "alias": "SELECT region, scheme || ' ' || value FROM region_alias WHERE region IN :codes",
    "a seat of recipient": "SELECT s.region, c.id FROM seat s JOIN recipient_version v ON v.no = s.version_no "
    f"JOIN recipient c ON c.no = v.recipient_no WHERE s.region IN :codes AND {VISIBLE}",
    "recipient": "SELECT v.region, c.id FROM recipient_version v JOIN recipient c ON c.no = v.recipient_no "
    f"WHERE v.region IN :codes AND {VISIBLE}",
}


def add(conn: Connection, rows: Iterable[RegionFacts], *, rev: int) -> None:
    """Write new regions, to be seen from revision `rev` on."""
    new = list(rows)
    conn.execute(insert(region), [{**row._asdict(), "from_rev": rev} for row in new])
    _make_findable(conn, new)


def describe(conn: Connection, rows: Iterable[RegionFacts]) -> None:
    """Overwrite all of the regions but their place in the tree. Each row stays sound by itself, so this may go in pieces."""
    changed = list(rows)
    _overwrite(conn, changed, [name for name in RegionFacts._fields if name not in PLACE])
    _make_findable(conn, changed)


def place(conn: Connection, rows: Iterable[RegionFacts]) -> None:
    """Overwrite the place of regions in the tree: only in the transaction that publishes the revision.

    Half of a tree moved would hide villages from those who look below a region.
    """
    _overwrite(conn, rows, PLACE)


def move(conn: Connection, places: Iterable[tuple[str, str]]) -> None:
    """Give regions, by code, another path: only in the transaction that publishes the revision."""
    statement = update(region).where(region.c.code == bindparam("new_code")).values(path=bindparam("new_path"))
    conn.execute(statement, [{"new_code": code, "new_path": path} for code, path in places])


def remove(conn: Connection, codes: Sequence[str]) -> None:
    """Delete regions: only in the transaction that publishes the revision."""
    conn.execute(delete(region).where(region.c.code.in_(codes)))


def _make_findable(conn: Connection, rows: Iterable[RegionFacts]) -> None:
    """Add what the regions are searched by. What a former name left behind stays: who searches compares with the region."""
    found = [
        {"key": key, "code": row.code} for row in rows for key in keys((row.name, *json.loads(row.names).values()))
    ]
    if found:
        conn.execute(text("INSERT INTO region_name (key, code) VALUES (:key, :code) ON CONFLICT DO NOTHING"), found)


def _overwrite(conn: Connection, rows: Iterable[RegionFacts], columns: Sequence[str]) -> None:
    # Only the columns meant: SQLite rewrites every index that has one of those named, changed or not.
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    statement = update(region).where(region.c.code == bindparam("new_code")).values(values)
    names = ("code", *columns)
    conn.execute(statement, [{f"new_{name}": getattr(row, name) for name in names} for row in rows])
