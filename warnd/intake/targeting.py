"""Where a warning goes: from its areas to regions and recipients. Reads the directory; writes nothing and decides no verdict."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import compress

from sqlalchemy import Connection

from warnd.ledger import directory
from warnd.model.area import Area, area_of_circles, area_of_polygons
from warnd.model.cap.alert import Alert
from warnd.model.cap.geometry import usable_circles, usable_polygons
from warnd.model.region import Jurisdiction, code_of, paths_above

_SHAPES = 1_000  # Shapes read at once, so that memory does not grow with the polygon.


@dataclass(frozen=True, slots=True)
class Root:
    """A region whose whole subtree is meant.

    Attributes:
        code: As stored.
        how: "geocode", "polygon" or "circle".
        outside: It lies outside this node's jurisdiction: listed, never messaged.
    """

    code: str
    how: str
    outside: bool


@dataclass(frozen=True, slots=True)
class Targets:
    """What the areas of an alert mean in this directory.

    Attributes:
        roots: Sorted by code; none lies under another one with the same `outside`.
        recipients: Numbers of those whose own point lies in a polygon or circle, within the jurisdiction; ascending.
        unknown_geocodes: (valueName, value) of those that name no region here, in document order.
        only_by_geocode: With both geocodes and shapes given: codes of villages that only the geocodes name.
        only_by_polygon: Likewise, of villages that only the shapes reach.
    """

    roots: tuple[Root, ...] = ()
    recipients: tuple[int, ...] = ()
    unknown_geocodes: tuple[tuple[str, str], ...] = ()
    only_by_geocode: tuple[str, ...] = ()
    only_by_polygon: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The ground that the shapes of an alert cover; to work it out takes seconds where a document has thousands of them."""

    polygons: Area
    circles: Area


def drawn_by(alert: Alert) -> Drawn:
    """Return the ground of all infos' usable polygons and circles."""
    areas = [area for info in alert.infos for area in info.areas]
    return Drawn(
        polygons=area_of_polygons(points for area in areas for points in usable_polygons(area)),
        circles=area_of_circles(circle for area in areas for circle in usable_circles(area)),
    )


def resolve(conn: Connection, alert: Alert, *, jurisdiction: Collection[str], ground: Drawn | None = None) -> Targets:
    """Return what the areas of all infos mean: the union of geocodes, polygons and circles (DESIGN §5).

    A polygon or circle reaches villages only, and those in which it has ground or, where a village has no shape, its point. A geocode
    of a region around the jurisdiction means the jurisdiction's own part of it; the region itself is listed as outside.

    Args:
        conn: Reads only.
        alert: As parsed; polygons and circles that cannot be used are passed over.
        jurisdiction: Codes as in `node.jurisdiction`; empty = everywhere.
        ground: What `drawn_by` said of the alert, if it was asked already.
    """
    ground = ground or drawn_by(alert)
    own = directory.find_jurisdiction(conn, codes=jurisdiction)
    areas = [area for info in alert.infos for area in info.areas]
    named, unknown = _named(conn, [pair for area in areas for pair in area.geocodes])
    by_polygon, by_circle = ground.polygons, ground.circles
    drawn = dict.fromkeys(_villages(conn, by_circle), "circle") | dict.fromkeys(_villages(conn, by_polygon), "polygon")
    only_named, only_drawn = _difference(conn, named, drawn) if named and (by_polygon or by_circle) else ((), ())
    return Targets(
        roots=_roots(named, drawn, own=own),
        recipients=_recipients(conn, (by_polygon, by_circle), own=own),
        unknown_geocodes=unknown,
        only_by_geocode=only_named,
        only_by_polygon=only_drawn,
    )


def _named(conn: Connection, geocodes: Iterable[tuple[str, str]]) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Return the paths of the regions that geocodes mean, and the geocodes that mean none."""
    meant = directory.resolve_geocodes(conn, geocodes=list(dict.fromkeys(geocodes)))
    codes = {code for code in meant.values() if code is not None}
    known = directory.paths(conn, codes=sorted(codes))
    return list(known.values()), tuple(pair for pair, code in meant.items() if code is None)


def _villages(conn: Connection, area: Area) -> list[str]:
    """Return the paths of the villages in which the area has ground."""
    if not area:
        return []
    sure: list[str] = []
    unsure: list[str] = []
    for page in directory.candidates(conn, box=_box(area)):
        met, doubtful = area.meets_boxes(page.west, page.south, east=page.east, north=page.north)
        sure += compress(page.paths, met)
        unsure += compress(page.paths, doubtful)
    for start in range(0, len(unsure), _SHAPES):
        paths = {code_of(path): path for path in unsure[start : start + _SHAPES]}
        shapes = directory.shapes(conn, codes=list(paths))
        sure += [paths[code] for code in compress(shapes, area.meets(list(shapes.values())))]
    return sure


def _recipients(conn: Connection, areas: Iterable[Area], *, own: Jurisdiction) -> tuple[int, ...]:
    """Return the numbers of recipients within the jurisdiction whose own point lies in one of the areas, ascending."""
    rev = directory.revision(conn)
    found: dict[int, str] = {}
    for area in filter(None, areas):
        for page in directory.recipient_points(conn, box=_box(area), rev=rev):
            within = area.holds(page.lons, page.lats)
            found |= dict(compress(zip(page.numbers, page.regions, strict=True), within))
    if not own.everywhere:
        paths = directory.paths(conn, codes=list(set(found.values())))
        found = {number: code for number, code in found.items() if code in paths and own.covers(paths[code])}
    return tuple(sorted(found))


def _roots(named: Collection[str], drawn: Mapping[str, str], *, own: Jurisdiction) -> tuple[Root, ...]:
    """Return the regions at the named paths and the villages at the drawn ones that lie under none of those."""
    inside = {path for path in named if own.covers(path)}
    inside |= {part for path in named for part in own.within(path)}
    outside = {path for path in named if path not in inside}
    roots = [Root(code_of(path), "geocode", path in outside) for path in _outermost(inside) + _outermost(outside)]
    for path, how in drawn.items():
        beyond = not own.covers(path)
        if not _lies_under(path, outside if beyond else inside):
            roots.append(Root(code_of(path), how, beyond))
    return tuple(sorted(roots, key=lambda root: root.code))


def _outermost(paths: set[str]) -> list[str]:
    return [path for path in paths if paths.isdisjoint(paths_above(path)[:-1])]


def _lies_under(path: str, roots: set[str]) -> bool:
    """Say whether the region at `path` is one of `roots` or below one."""
    return bool(roots) and not roots.isdisjoint(paths_above(path))


def _difference(
    conn: Connection, named: Collection[str], drawn: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the codes of villages that only the geocodes name, and of those that only the shapes reach."""
    below = {code for path in named for code in directory.villages_under(conn, path=path)}
    reached = {code_of(path) for path in drawn}
    return tuple(sorted(below - reached)), tuple(sorted(reached - below))


def _box(area: Area) -> directory.Box:
    west, south, east, north = area.bounds
    return directory.Box(south=south, west=west, north=north, east=east)
