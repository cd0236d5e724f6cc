"""One statement for many rows: for each of many rows of values, run once, joined to them; and one that reads many rows.

PostgreSQL would plan it anew for every one, while all other workers wait for the store. SQLite's driver lets go of the interpreter at every
row, written or read, and has to wait for the event loop until it gets it back: of a hundred rows that takes longer than the rows. So it
gets them all as one.
"""

import json
import re
from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, text

from warnd.ledger.values import many

_PARAMETER = re.compile(r":(\w+)")
_SUSPECT = re.compile(r"\\u0000|[0-9]{19}")
_LARGEST = 2**63

Values = Mapping[str, int | str | None]


def execute_each(conn: Connection, statement: str, rows: Sequence[Values]) -> int:
    """Run a statement for each of the rows, all of which have the same names; return how many rows of the table it changed or made.

    Args:
        conn: In whose transaction.
        statement: `UPDATE … WHERE …` or `INSERT … SELECT … FROM … WHERE …`, whose last WHERE says by a key which row of the table is
            meant. No two `rows` mean the same one: which of them would come last is not said.
        rows: Names to values.
    """
    if not rows:
        return 0
    names = tuple(rows[0])
    if conn.dialect.name != "postgresql":
        return conn.exec_driver_sql(_listed(statement, names), (_told(names, rows),)).rowcount
    told = [{name: _kept(value) for name, value in row.items()} for row in rows]
    return conn.execute(_joined(statement, _kinds(rows)), {"rows": json.dumps(told, ensure_ascii=False)}).rowcount


class ManyRows:
    """A SELECT of the rows with certain numbers.

    Args:
        statement: With `IN :nos` for the numbers.
        columns: What it gives, in any order.
    """

    def __init__(self, statement: str, *columns: str) -> None:
        self._plain = many(statement, "nos")
        rows = statement.replace("IN :nos", "IN (SELECT value FROM json_each(?))")
        self._gathered = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({rows})"
        row: Any = namedtuple("row", columns)  # type: ignore[misc]  # noqa: PYI024 - its columns are told at run time
        self._row = row._make

    def fetch(self, conn: Connection, nos: Iterable[int]) -> list[Any]:
        """Return the rows, with the columns as attributes."""
        if conn.dialect.name == "postgresql":
            return list(conn.execute(self._plain, {"nos": list(nos)}).all())
        told = conn.exec_driver_sql(self._gathered, (json.dumps(list(nos)),)).scalar_one()
        return [self._row(line) for line in json.loads(told)]


def _told(names: tuple[str, ...], rows: Sequence[Values]) -> str:
    """Return the values as JSON; one by one they are looked at only if there may be something to see.

    Raises:
        OverflowError: A number is larger than columns are; in JSON it would become another one.
    """
    told = json.dumps([[row[name] for name in names] for row in rows], ensure_ascii=False)
    if _SUSPECT.search(told) is None:
        return told
    return json.dumps([[_kept(row[name]) for name in names] for row in rows], ensure_ascii=False)


def _kept(value: int | str | None) -> int | str | None:
    """Return text as every store can keep it, like the driver's other parameters on PostgreSQL: it has no U+0000."""
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise OverflowError(f"{value} is too large for a column")
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _kinds(rows: Sequence[Values]) -> tuple[tuple[str, str], ...]:
    """Return each name with the SQL type of its values; a column without any is text."""
    return tuple((name, "bigint" if any(isinstance(row[name], int) for row in rows) else "text") for name in rows[0])


@lru_cache(maxsize=256)
def _joined(statement: str, kinds: tuple[tuple[str, str], ...]) -> TextClause:
    named = ", ".join(f"{name} AS given_{name}" for name, _ in kinds)
    told = ", ".join(f"{name} {kind}" for name, kind in kinds)
    rows = f"(SELECT {named} FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told({told})) AS given"
    return text(_with(statement, rows))


@lru_cache(maxsize=256)
def _listed(statement: str, names: tuple[str, ...]) -> str:
    named = ", ".join(f"json_extract(value, '$[{place}]') AS given_{name}" for place, name in enumerate(names))
    return _with(statement, f"(SELECT {named} FROM json_each(?)) AS given")


def _with(statement: str, rows: str) -> str:
    """Return a statement for many rows, whose values are named apart from the columns of every table."""
    head, where, condition = statement.rpartition(" WHERE ")
    head, condition = (_PARAMETER.sub(r"given.given_\1", part) for part in (head, condition))
    glue = " FROM " if statement.startswith("UPDATE") else ", "
    return f"{head}{glue}{rows}{where}{condition}"
