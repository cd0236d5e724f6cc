"""Other roads for urgent deliveries whose channel is blocked: their next channel starts at once, and the first goes on when it can.

Blocked is not failed: nobody's patience is spent, no try is counted, and the leg that waits stays due.
"""

from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events, legs
from warnd.ledger.events import Stamp
from warnd.ledger.priority import URGENT_LEVELS

# From the standing-by side, by an index of its own: a hundred thousand legs without another channel are never walked over. A delivery
# whose later channel has begun is left alone unless that one is blocked, too.
_STRANDED = text(
    "SELECT s.no, s.delivery_no, m.id AS message_id, EXISTS (SELECT 1 FROM leg l WHERE l.delivery_no = s.delivery_no "
    "AND l.lane = :lane AND l.state = 'due' AND l.due_at <= :soon AND l.step < s.step AND NOT EXISTS ("
    "SELECT 1 FROM leg o WHERE o.delivery_no = s.delivery_no AND o.step > l.step AND o.state <> 'standby')) AS stranded "
    "FROM message m JOIN leg s ON s.message_no = m.no AND s.state = 'standby' "
    f"WHERE m.closed_as IS NULL AND m.expires_at > :now AND m.urgency IN ({URGENT_LEVELS}) AND s.no > :after "
    "ORDER BY s.no LIMIT :limit"
)
_SOON_MS = 60_000  # A leg that backs off no longer than this would be tried, were its channel not blocked.


def stranded(conn: Connection, *, lane: str, after: int, limit: int, now_ms: int) -> tuple[list[tuple[int, str]], int]:
    """Look at up to `limit` legs that stand by, numbered above `after`, for deliveries that a blocked lane holds up.

    Returns:
        (delivery number, message id) of each, and after which number to look on; 0 = from the beginning.
    """
    rows: list[Row[Any]] = list(
        conn.execute(
            _STRANDED, {"lane": lane, "after": after, "limit": limit, "now": now_ms, "soon": now_ms + _SOON_MS}
        )
    )
    found = {row.delivery_no: row.message_id for row in rows if row.stranded}
    return list(found.items()), rows[-1].no if len(rows) == limit else 0


def start(conn: Connection, *, lane: str, after: int, limit: int, stamp: Stamp) -> tuple[int, int]:
    """Start the next channel of the deliveries that `stranded` finds now; return how many, and after which number to look on."""
    found, look_on = stranded(conn, lane=lane, after=after, limit=limit, now_ms=stamp.now_ms)
    legs.start_next_each(conn, delivery_nos=[no for no, _ in found], now_ms=stamp.now_ms)
    by_message: dict[str, list[int]] = {}
    for delivery_no, message_id in found:
        by_message.setdefault(message_id, []).append(delivery_no)
    for message_id, nos in by_message.items():
        events.append(
            conn, stamp=stamp, kind="lane.bypassed", message_id=message_id, data={"lane": lane, "deliveries": nos}
        )
    return len(found), look_on
