"""Batons: whoever holds one does the next pieces of some work that any worker of a store could do.

Nothing depends on it for being right, for each piece is a transaction; without it the pieces of all workers would stand in line for the
store, and claims behind them.
"""

from sqlalchemy import Connection, text

from warnd.ledger.events import Stamp


def free(conn: Connection, *, what: str, stamp: Stamp) -> bool:
    """Say whether no other worker holds it; a look without the write lock."""
    row = conn.execute(text("SELECT writer, until FROM baton WHERE what = :what"), {"what": what}).one_or_none()
    return row is None or row.writer == stamp.writer or bool(row.until <= stamp.now_ms)


def take(conn: Connection, *, what: str, hold_ms: int, stamp: Stamp) -> bool:
    """Take or keep it for so long, unless another worker holds it; say whether it is ours."""
    if not free(conn, what=what, stamp=stamp):
        return False
    conn.execute(
        text(
            "INSERT INTO baton (what, writer, until) VALUES (:what, :writer, :until) "
            "ON CONFLICT (what) DO UPDATE SET writer = excluded.writer, until = excluded.until"
        ),
        {"what": what, "writer": stamp.writer, "until": stamp.now_ms + hold_ms},
    )
    return True


def give_up(conn: Connection, *, what: str, stamp: Stamp) -> None:
    """Let the next one have it at once."""
    conn.execute(
        text("DELETE FROM baton WHERE what = :what AND writer = :writer"), {"what": what, "writer": stamp.writer}
    )
