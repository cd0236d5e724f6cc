"""Which programs may work on a store that has gone on: the row in `meta` that says what a program must at least know.

Migrations only add, so a program that does not know the newest of them can work beside one that does. The first that takes something
away raises the mark.
"""

from sqlalchemy import Connection, inspect, text

_KEY = "oldest_reader"


def require(conn: Connection, *, revision: str) -> None:
    """Let only programs work here, from this migration on, that know `revision`."""
    conn.execute(
        text(
            "INSERT INTO meta (key, value) VALUES (:key, :revision) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        {"key": _KEY, "revision": revision},
    )


def required(conn: Connection) -> str | None:
    """Return the migration that a program must know; None = the store does not say."""
    if not inspect(conn).has_table("meta"):
        return None
    found = conn.execute(text("SELECT value FROM meta WHERE key = :key"), {"key": _KEY}).scalar_one_or_none()
    return None if found is None else str(found)
