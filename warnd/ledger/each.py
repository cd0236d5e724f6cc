"""One statement for each of many rows of values, as cheaply as each kind of store can.

SQLite's driver runs the prepared statement once for each. PostgreSQL would plan it anew for every one, while all other workers wait for the
store; there it runs once, joined to the rows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

_PARAMETER = re.compile(r":(\w+)")

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
    if conn.dialect.name != "postgresql":
        # Its names are the driver's own: SQLAlchemy would copy each row thrice.
        return conn.exec_driver_sql(statement, [dict(row) for row in rows]).rowcount
    told = [{name: _kept(value) for name, value in row.items()} for row in rows]
    return conn.execute(_joined(statement, _kinds(rows)), {"rows": json.dumps(told, ensure_ascii=False)}).rowcount


def _kept(value: int | str | None) -> int | str | None:
    """Return text as PostgreSQL can keep it, like the driver's other parameters: it has no U+0000."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _kinds(rows: Sequence[Values]) -> tuple[tuple[str, str], ...]:
    """Return each name with the SQL type of its values; a column without any is text."""
    return tuple((name, "bigint" if any(isinstance(row[name], int) for row in rows) else "text") for name in rows[0])


@lru_cache(maxsize=256)
def _joined(statement: str, kinds: tuple[tuple[str, str], ...]) -> TextClause:
    head, where, condition = statement.rpartition(" WHERE ")
    head, condition = (_PARAMETER.sub(r"given.given_\1", part) for part in (head, condition))
    # Named apart from the columns of every table.
    named = ", ".join(f"{name} AS given_{name}" for name, _ in kinds)
    told = ", ".join(f"{name} {kind}" for name, kind in kinds)
    rows = f"(SELECT {named} FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told({told})) AS given"
    glue = " FROM " if statement.startswith("UPDATE") else ", "
    return text(f"{head}{glue}{rows}{where}{condition}")
