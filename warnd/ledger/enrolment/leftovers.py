"""Takes back what an import that died had written for a revision that never came."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from warnd.ledger.directory import revision
from warnd.ledger.values import many

_PAGE = 2_000


class Sweep:
    """Walks a table once, page by page, each in its own short transaction.

    A page goes on where the last one ended, so that a million rows are not searched again and again.
    """

    def __init__(self, find: str, undo: Sequence[str], *, start: int | str) -> None:
        """Take SQL: `find` lists keys after `:after` beyond `:rev`, each of `undo` takes back the keys in `:page`."""
        self._find = text(f"{find} LIMIT {_PAGE}")
        self._undo = [many(each, "page", of=type(start)) for each in undo]
        self._after = start

    def page(self, conn: Connection) -> bool:
        """Take back one page; return False when nothing was left."""
        found = list(conn.execute(self._find, {"after": self._after, "rev": revision(conn)}).scalars())
        if not found:
            return False
        for undo in self._undo:
            conn.execute(undo, {"page": found})
        self._after = found[-1]
        return True


def sweeps() -> list[Sweep]:
    """Return all that has to be walked, in this order."""
    return [
        Sweep(
            "SELECT no FROM recipient_version WHERE no > :after AND to_rev > :rev ORDER BY no",
            ["UPDATE recipient_version SET to_rev = NULL WHERE no IN :page"],
            start=-1,
        ),
        Sweep(
            "SELECT no FROM recipient_version WHERE no > :after AND from_rev > :rev ORDER BY no",
            ["DELETE FROM seat WHERE version_no IN :page", "DELETE FROM recipient_version WHERE no IN :page"],
            start=-1,
        ),
        Sweep(
            "SELECT no FROM recipient WHERE no > :after AND :rev >= 0 AND NOT EXISTS "
            "(SELECT 1 FROM recipient_version v WHERE v.recipient_no = recipient.no) ORDER BY no",
            ["DELETE FROM recipient WHERE no IN :page"],
            start=-1,
        ),
        Sweep(
            "SELECT code FROM region WHERE code > :after AND from_rev > :rev ORDER BY code",
            ["DELETE FROM region WHERE code IN :page"],
            start="",
        ),
    ]
