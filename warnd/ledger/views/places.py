"""Regions as views are asked for them: by a code as people write it."""

from sqlalchemy import Connection

from warnd.ledger import directory
from warnd.ledger.directory import RegionRow
from warnd.model.region import stored_code


class UnknownRegion(LookupError):  # noqa: N818 - a lookup that found nothing
    """The directory has no region with this code."""


def region(conn: Connection, *, code: str) -> RegionRow:
    """Return the region with this code, padded or not.

    Raises:
        UnknownRegion: There is none.
    """
    stored = stored_code(code)
    found = directory.find_regions(conn, codes=[stored]).get(stored)
    if found is None:
        raise UnknownRegion(code)
    return found


def below(conn: Connection, *, parent: RegionRow | None, jurisdiction: tuple[str, ...]) -> list[RegionRow]:
    """Return the children of `parent`, by code.

    Without a parent: the jurisdiction's own regions if there are several, the children of the one, or the outermost regions
    of the directory where no jurisdiction is set or none of it was imported.
    """
    if parent is not None:
        return directory.children(conn, parent=parent.code)
    own = directory.find_regions(conn, codes=[stored_code(code) for code in jurisdiction])
    if len(own) > 1:
        return [own[code] for code in sorted(own)]
    return directory.children(conn, parent=next(iter(own), None))
