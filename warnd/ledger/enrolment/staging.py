"""Where an import keeps a file's rows while they are checked: a private SQLite file of its own, thrown away at the end.

Memory stays bounded however long the file is, and the daemon's store is not touched before everything is known to be good.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self


class Staged(NamedTuple):
    """One row of the file.

    Attributes:
        seq: Given when staged, from 1.
        key: What must be unique in the file.
        place: Rows come out in this order, then by key.
        line: Where it stood, from 1; `feature` counts GeoJSON features, else None.
        values: Text, numbers, bytes and None.
    """

    seq: int
    key: str
    place: str
    line: int
    feature: int | None
    values: tuple[Any, ...]


class Stage:
    """Rows of one file."""

    def __init__(self, folder: Path, *, columns: int) -> None:
        """Open an empty stage in a folder of its own, for rows with this many values."""
        self._db = sqlite3.connect(folder / "stage.db", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32768", "locking_mode=EXCLUSIVE"):
            self._db.execute(f"PRAGMA {pragma}")
        names = ", ".join(f"c{number}" for number in range(columns))
        self._db.execute(f"CREATE TABLE entry (seq INTEGER PRIMARY KEY, key, place, line, feature, {names})")
        self._db.execute("CREATE TABLE aside (name, key, value)")
        marks = ", ".join("?" * (columns + 4))
        self._insert = f"INSERT INTO entry (key, place, line, feature, {names}) VALUES ({marks})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Stage (key, place, line, feature, *values) rows; best by the thousand."""
        self._db.execute("BEGIN")
        self._db.executemany(self._insert, rows)
        self._db.execute("COMMIT")

    def seal(self) -> None:
        """Make the rows searchable, once all are here."""
        self._db.execute("CREATE INDEX entry_key ON entry (key, line)")

    def __len__(self) -> int:
        """Return how many rows are staged."""
        count: int = self._db.execute("SELECT count(*) FROM entry").fetchone()[0]
        return count

    def repeated(self) -> Iterator[tuple[str, int, int | None, int]]:
        """Yield (key, line, feature, first line) of each row whose key stood before, in order of the lines."""
        yield from self._db.execute(
            "SELECT e.key, e.line, e.feature, f.line FROM entry e JOIN "
            "(SELECT key, min(seq) AS first FROM entry INDEXED BY entry_key GROUP BY key HAVING count(*) > 1) d "
            "ON d.key = e.key AND d.first < e.seq JOIN entry f ON f.seq = d.first ORDER BY e.seq"
        )

    def pages(self, size: int) -> Iterator[list[Staged]]:
        """Yield all rows in their order, `size` at a time. Nothing may be added meanwhile."""
        yield from self._paged("SELECT * FROM entry ORDER BY place, key", (), size=size)

    def absent(self, keys: Sequence[str]) -> list[str]:
        """Return those of the keys that no row has, in the order given."""
        found = {
            row[0]
            for row in self._db.execute(
                f"SELECT key FROM entry WHERE key IN ({', '.join('?' * len(keys))})",
                keys,
            )
        }
        return [key for key in keys if key not in found]

    def put_aside(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Keep (key, value) pairs for later under a name."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO aside VALUES (?, ?, ?)", ((name, *pair) for pair in pairs))
        self._db.execute("COMMIT")

    def aside(self, name: str, size: int) -> Iterator[list[tuple[str, str]]]:
        """Yield the pairs kept under a name, in the order in which they came, `size` at a time."""
        cursor = self._db.execute("SELECT key, value FROM aside WHERE name = ? ORDER BY rowid", (name,))
        while page := cursor.fetchmany(size):
            yield page

    def of(self, keys: Sequence[str]) -> list[Staged]:
        """Return the rows with these keys."""
        marks = ", ".join("?" * len(keys))
        return [
            row
            for page in self._paged(f"SELECT * FROM entry WHERE key IN ({marks})", keys, size=len(keys) or 1)
            for row in page
        ]

    def _paged(self, statement: str, values: Sequence[str], *, size: int) -> Iterator[list[Staged]]:
        cursor = self._db.execute(statement, values)
        while page := cursor.fetchmany(size):
            yield [Staged._make((*row[:5], row[5:])) for row in page]
