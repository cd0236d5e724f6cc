"""What becomes of everything that waits when the wall clock is set: a wait of a minute stays a wait of a minute.

Lives (`expires_at`) are moments of the calendar and follow the clock. Waits, back-offs, leases and deadlines are spans since something
happened; they are kept as moments, so they move with the clock, or an hour forward would repeat every text at once and an hour back would
let nothing leave for an hour.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger import events
from warnd.ledger.events import Stamp

_ROWS = 5_000  # Of one table in one transaction, so that it holds the write lock for at most about 150 ms.
_OPEN = "SELECT no FROM message WHERE closed_as IS NULL"
_MOVED = (
    (
        "leg",
        "due_at = due_at + :by, lease_until = lease_until + :by",
        "state IN ('due', 'waiting', 'submitting')",
    ),
    (
        "delivery",
        "due_by = due_by + :by",
        "due_by IS NOT NULL AND breached_at IS NULL AND satisfied_at IS NULL",
    ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a step has been followed: the table, and the number of its last row."""

    table: int = 0
    after: int = 0


def behind_ms(conn: Connection, *, now_ms: int) -> int:
    """Return by how much the clock is behind the newest event: it was set back while nobody served. 0 = it was not."""
    newest = conn.execute(text("SELECT at FROM event ORDER BY no DESC LIMIT 1")).scalar()
    return max(0, newest - now_ms) if newest is not None else 0


def follow(conn: Connection, *, by_ms: int, place: Place, stamp: Stamp) -> Place | None:
    """Move the next rows that wait by `by_ms`; return where to go on, or None at the end, which the record tells."""
    table, change, waits = _MOVED[place.table]
    values = {"by": by_ms, "after": place.after, "upto": place.after + _ROWS}
    conn.execute(
        text(f"UPDATE {table} SET {change} WHERE no > :after AND no <= :upto AND {waits} AND message_no IN ({_OPEN})"),
        values,
    )
    further = conn.execute(
        text(f"SELECT min(no) FROM {table} WHERE no > :upto AND {waits} AND message_no IN ({_OPEN})"), values
    ).scalar()
    if further is not None:
        return Place(place.table, further - 1)
    if place.table + 1 < len(_MOVED):
        return Place(place.table + 1)
    events.append(conn, stamp=stamp, kind="clock.stepped", message_id=None, data={"by_ms": by_ms})
    return None
