"""What time brings about by itself: repeats after silence, exhausted tries, ended lives, finished messages.

All of it is rows with due times; after downtime whatever is overdue happens once.
"""

from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import counters, deliveries, events, messages, warnings
from warnd.ledger.events import Stamp
from warnd.ledger.outcomes import PATIENCE, backoff_ms, give_way
from warnd.model.evidence import DeliveryState

_BREACHES = 5_000  # Marked in one pass at the end of lives, so that it holds the write lock for at most about 150 ms.

# Warnings that may be complete: planned whole, with every publication out. Their open deliveries are in the counters. Strangers' browsers
# are not waited for: some are never on again, and a hundred thousand of them would be looked at twice a second.
_FINISHED = (
    "message m JOIN warning w ON w.id = m.id AND w.state = 'dispatching' "
    "WHERE m.closed_as IS NULL AND m.stage = 'planned' AND NOT EXISTS (SELECT 1 FROM publication p "
    "JOIN leg l ON l.publication_no = p.no AND l.state IN ('due', 'submitting', 'waiting') "
    "WHERE p.message_no = m.no AND p.channel <> 'push')"
)
_OVERDUE = text(
    "SELECT EXISTS (SELECT 1 FROM leg WHERE state = 'waiting' AND due_at <= :now) "
    "OR EXISTS (SELECT 1 FROM leg WHERE state = 'submitting' AND lease_until <= :now) "
    "OR EXISTS (SELECT 1 FROM message WHERE closed_as IS NULL AND expires_at <= :now) "
    "OR EXISTS (SELECT 1 FROM warning WHERE state IN ('held', 'in_review', 'dispatching', 'completed') AND expires <= :now) "
    "OR EXISTS (SELECT 1 FROM message m JOIN delivery d ON d.message_no = m.no WHERE m.closed_as IS NULL "
    "AND d.breached_at IS NULL AND d.satisfied_at IS NULL AND d.due_by IS NOT NULL AND d.due_by <= :now AND d.due_by <= m.expires_at) "
    f"OR EXISTS (SELECT 1 FROM {_FINISHED} AND NOT EXISTS (SELECT 1 FROM counter c WHERE c.message_no = m.no AND c.region = '' "
    "AND c.state = 'open' AND c.n > 0))"
)


def overdue(conn: Connection, *, now_ms: int) -> bool:
    """Say whether time has brought about anything; a look without the write lock, for every half second of a quiet night."""
    return bool(conn.execute(_OVERDUE, {"now": now_ms}).scalar())


def break_silence(conn: Connection, *, limit: int, jitter: float, stamp: Stamp) -> int:
    """Make legs whose wait is over due again, or end them if their tries are used up; return how many were looked at."""
    rows = list(
        conn.execute(
            text(
                "SELECT l.no, l.delivery_no, l.tries, l.tries_max, l.failures, l.priority, m.closed_as, a.state AS attempt_state, "
                "d.state AS delivery_state FROM leg l JOIN message m ON m.no = l.message_no "
                "LEFT JOIN delivery d ON d.no = l.delivery_no "
                "LEFT JOIN attempt a ON a.leg_no = l.no AND a.number = l.attempts "
                "WHERE l.state = 'waiting' AND l.due_at <= :now ORDER BY l.due_at, l.no LIMIT :limit"
            ),
            {"now": stamp.now_ms, "limit": limit},
        )
    )
    for row in rows:
        _next(conn, row, jitter=jitter, stamp=stamp)
    return len(rows)


def _next(conn: Connection, row: Row[Any], *, jitter: float, stamp: Stamp) -> None:
    if row.closed_as is not None or row.delivery_state == DeliveryState.SATISFIED:
        _set(conn, row.no, state="done", due_at=stamp.now_ms)
    elif row.attempt_state == "unknown":  # Whether it left is still unknown after the wait: better twice than never.
        slow = backoff_ms(row.failures, jitter) if row.failures > PATIENCE else 0
        _set(conn, row.no, state="due", due_at=stamp.now_ms + slow, failures=row.failures)
    elif row.tries < row.tries_max:
        _set(conn, row.no, state="due", due_at=stamp.now_ms)
    else:
        _set(conn, row.no, state="failed", due_at=stamp.now_ms)
        give_way(conn, delivery_no=row.delivery_no, stamp=stamp)


def _set(conn: Connection, leg_no: int, *, state: str, due_at: int, failures: int = 0) -> None:
    """Move a waiting leg on; a repeat goes behind the first tries of its kind."""
    conn.execute(
        text(
            "UPDATE leg SET state = :state, due_at = :due_at, failures = :failures, "
            "priority = CASE WHEN :state = 'due' AND priority % 10 = 0 THEN priority + 5 ELSE priority END "
            "WHERE no = :no AND state = 'waiting'"
        ),
        {"no": leg_no, "state": state, "due_at": due_at, "failures": failures},
    )


def expire(conn: Connection, *, stamp: Stamp, limit: int = _BREACHES) -> list[str]:
    """End what has outlived its warning: messages close, warnings become expired. Return the ids of the messages.

    A message of which more than `limit` deliveries are late and not marked yet is closed in a later pass; no try of it is claimed.
    """
    over = list(
        conn.execute(
            text("SELECT no, id FROM message WHERE closed_as IS NULL AND expires_at <= :now ORDER BY no"),
            {"now": stamp.now_ms},
        )
    )
    closed: list[str] = []
    for message in over:  # What was due within its life is a breach, even if nobody was there to see the hour pass.
        limit -= deliveries.mark_breaches(conn, message_no=message.no, limit=limit, stamp=stamp)
        if limit <= 0:
            break
        messages.close(conn, message_id=message.id, closed_as="expired", stamp=stamp)
        closed.append(message.id)
    waiting = conn.execute(
        text(
            "SELECT id, state FROM warning WHERE (state IN ('held', 'in_review', 'dispatching', 'completed') "
            "AND expires IS NOT NULL AND expires <= :now) OR (state = 'dispatching' AND expires IS NULL "  # A Cancel.
            "AND EXISTS (SELECT 1 FROM message m WHERE m.id = warning.id AND m.closed_as = 'expired')) ORDER BY no"
        ),
        {"now": stamp.now_ms},
    )
    open_still = {message.id for message in over} - set(closed)
    for row in [each for each in waiting if each.id not in open_still]:
        warnings.move(conn, warning_id=row.id, old=row.state, new="expired", stamp=stamp, by="clock")
    return closed


def complete(conn: Connection, *, stamp: Stamp) -> list[str]:
    """Mark warnings whose planning is finished and which have nothing open any more; return their ids."""
    candidates = list(conn.execute(text(f"SELECT m.no, m.id FROM {_FINISHED} ORDER BY m.no")))
    done = [row.id for row in candidates if counters.open_count(conn, message_no=row.no) == 0]
    for message_id in done:
        warnings.move(conn, warning_id=message_id, old="dispatching", new="completed", stamp=stamp, by="clock")
        events.append(conn, stamp=stamp, kind="message.completed", message_id=message_id, data={})
    return done
