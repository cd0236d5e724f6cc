"""Places as the public finds them: one with what is around it, and by name. Bounded, whatever is asked."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger import directory
from warnd.ledger.directory import RegionRow
from warnd.ledger.values import many
from warnd.ledger.views.places import UnknownRegion, below, region
from warnd.model.gazetteer import fold, keys, readings
from warnd.model.region import TIERS, path_codes, rank, stored_code, subtree

_CODE_MAX = 64
_CANDIDATES = 300  # Of one reading of a query: thousands of villages share a name, and nobody reads that far.
_OUTER_MOST = 40  # Places that the outer name of a query may mean.
_READ_MOST = 6_000  # Regions below them that are looked at.
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region with its surroundings.

    Attributes:
        region: Itself; None = the whole of what this node serves.
        above: What it lies in, outermost first.
        below: Regions directly under it, by code; one page.
        more: Code behind which the next page begins; None = there is none.
        served: This node warns for it. Of other places it may know nothing.
    """

    region: RegionRow | None
    above: tuple[RegionRow, ...]
    below: tuple[RegionRow, ...]
    more: str | None
    served: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One place that a query may mean, and what it lies in, outermost first."""

    region: RegionRow
    above: tuple[RegionRow, ...]


def public_place(
    conn: Connection, *, code: str, jurisdiction: tuple[str, ...], limit: int, after: str = ""
) -> Place | None:
    """Return the place with this code, padded or not, or None if the directory has none.

    Args:
        conn: Reads only.
        code: As a visitor wrote it.
        jurisdiction: Codes of the regions this node serves; empty = every imported one.
        limit: How many regions below it to return.
        after: The code behind which they begin.
    """
    if len(code) > _CODE_MAX:
        return None
    try:
        found = region(conn, code=code)
    except UnknownRegion:
        return None
    around = directory.find_regions(conn, codes=path_codes(found.path)[:-1])
    served = directory.find_jurisdiction(conn, codes=jurisdiction)
    rows, more = _page(_children(conn, parent=found.code, after=after, limit=limit + 1), limit)
    return Place(
        region=found,
        above=tuple(sorted(around.values(), key=lambda each: len(each.path))),
        below=rows,
        more=more,
        served=served.covers(found.path) or bool(served.within(found.path)),
    )


def public_places(conn: Connection, *, jurisdiction: tuple[str, ...], limit: int, after: str = "") -> Place:
    """Return the outermost places that this node serves."""
    rows = [each for each in below(conn, parent=None, jurisdiction=jurisdiction) if each.code > after]
    page, more = _page(rows, limit)
    return Place(region=None, above=(), below=page, more=more, served=True)


def _page(rows: list[RegionRow], limit: int) -> tuple[tuple[RegionRow, ...], str | None]:
    return tuple(rows[:limit]), rows[limit - 1].code if len(rows) > limit else None


def _children(conn: Connection, *, parent: str, after: str, limit: int) -> list[RegionRow]:
    codes = conn.execute(
        text(
            "SELECT code FROM region WHERE parent = :parent AND from_rev <= :rev AND code > :after ORDER BY code LIMIT :limit"
        ),
        {"parent": parent, "rev": directory.revision(conn), "after": after, "limit": limit},
    )
    found = directory.find_regions(conn, codes=list(codes.scalars()))
    return [found[code] for code in sorted(found)]


def find_places(conn: Connection, *, query: str, jurisdiction: tuple[str, ...], limit: int) -> list[Found]:
    """Return the places that a query may mean, the closest and widest first: by code, or by name in any language.

    The first reading of the query that means anything counts (`warnd.model.gazetteer.readings`).
    """
    served = directory.find_jurisdiction(conn, codes=jurisdiction)
    coded = directory.find_regions(conn, codes=[stored_code(query.strip()[:_CODE_MAX])])
    if coded:
        return _around(conn, coded.values())
    for outer, name in readings(query):
        found = [each for each in _named(conn, outer, name) if served.covers(each.path)]
        if found:
            found.sort(key=lambda each: (*_closeness(each, name), each.path))
            return _around(conn, found[:limit])
    return []


def _named(conn: Connection, outer: str, name: str) -> list[RegionRow]:
    """Return the regions whose name begins so: anywhere, or in those whose own name begins with `outer`."""
    if not outer:
        return _indexed(conn, name, limit=_CANDIDATES)
    around, _, last = outer.rpartition(" ")
    within = _named(conn, around, last) if around else _indexed(conn, outer, limit=_OUTER_MOST)
    return _inside(conn, within[:_OUTER_MOST], name)


def _indexed(conn: Connection, name: str, *, limit: int) -> list[RegionRow]:
    codes = conn.execute(
        text("SELECT code FROM region_name WHERE key >= :low AND key < :high ORDER BY key, code LIMIT :limit"),
        {"low": name, "high": name + _LAST, "limit": limit},
    )
    regions = directory.find_regions(conn, codes=sorted(set(codes.scalars())))
    return [each for each in regions.values() if _begins(each, name)]


def _inside(conn: Connection, outers: Collection[RegionRow], name: str) -> list[RegionRow]:
    """Return the regions below some others whose name begins so, among the first `_READ_MOST` that are there."""
    left, codes = _READ_MOST, []
    for outer in outers:
        low, high = subtree(outer.path)
        rows = conn.execute(
            text(
                "SELECT code, name, names FROM region WHERE path > :low AND path < :high AND from_rev <= :rev ORDER BY path LIMIT :left"
            ),
            {"low": low, "high": high, "rev": directory.revision(conn), "left": left},
        ).all()
        left -= len(rows)
        codes += [row.code for row in rows if _any_begins((row.name, *json.loads(row.names).values()), name)]
    return list(directory.find_regions(conn, codes=codes[:_CANDIDATES]).values())


def _around(conn: Connection, regions: Collection[RegionRow]) -> list[Found]:
    codes = {code for each in regions for code in path_codes(each.path)[:-1]}
    above = directory.find_regions(conn, codes=list(codes))
    return [Found(each, tuple(above[code] for code in path_codes(each.path)[:-1] if code in above)) for each in regions]


def _names(place: RegionRow) -> Collection[str]:
    return (place.name, *place.names.values())


def _begins(place: RegionRow, name: str) -> bool:
    """Say whether a name of the place begins so; an older name may still stand in the index."""
    return _any_begins(_names(place), name)


def _any_begins(names: Collection[str], name: str) -> bool:
    return any(key.startswith(name) for key in keys(names))


def _closeness(place: RegionRow, name: str) -> tuple[bool, int]:
    return (name not in {fold(each) for each in _names(place)}, rank(place.tier))


_REACHED = """
SELECT w.id FROM warning w WHERE w.id IN :ids AND EXISTS (
  SELECT 1 FROM message m WHERE m.chain_id = w.chain_id AND (m.id = w.id OR w.msg_type = 'Cancel') AND (
    EXISTS (SELECT 1 FROM target_root t WHERE t.message_no = m.no AND t.code IN :around)
    OR CASE WHEN :leaf = 1 THEN 0 = 1
      WHEN m.stage = 'planned' AND :served = 1
      THEN EXISTS (SELECT 1 FROM target g WHERE g.message_no = m.no AND g.code = :code)
      ELSE EXISTS (SELECT 1 FROM target_root t JOIN region r ON r.code = t.code
                   WHERE t.message_no = m.no AND r.path >= :low AND r.path < :high) END))
"""


def reaching(conn: Connection, *, place: RegionRow, served: bool, ids: Collection[str]) -> frozenset[str]:
    """Return those of the warnings whose area touches a place: it lies in it, overlaps it, or lies around it.

    A Cancel touches what any message of its chain did. Areas were resolved at acceptance, polygons to villages. What is
    planned is looked up by one key; only while planning runs are all of a warning's regions looked through.
    """
    if not ids:
        return frozenset()
    low, high = subtree(place.path)
    found = conn.execute(
        many(_REACHED, "ids", "around", of=str),
        {
            "ids": list(ids),
            "around": list(path_codes(place.path)),
            "code": place.code,
            "leaf": int(place.tier == TIERS[-1]),  # Nothing lies below a village.
            "served": int(served),
            "low": low,
            "high": high,
        },
    )
    return frozenset(found.scalars())
