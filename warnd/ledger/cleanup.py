"""What may be forgotten: notes that only helped to work, never a warning, a delivery, a receipt or an event."""

from sqlalchemy import Connection, text

# Each takes rows whose last use lies before :before, at most :limit of them, so that no transaction holds the store for long.
_FORGETTABLE = (
    # A worker that is gone, unless it still holds a try.
    """DELETE FROM worker WHERE writer IN (SELECT w.writer FROM worker w WHERE w.seen_at < :before
    AND NOT EXISTS (SELECT 1 FROM leg l WHERE l.owner = w.writer AND l.state = 'submitting') LIMIT :limit)""",
    # Digits that answered messages which ended long ago: an answer that comes now is kept as unmatched, as any other stranger's.
    "DELETE FROM reply_digit WHERE no IN (SELECT no FROM reply_digit WHERE closed_at < :before LIMIT :limit)",
)


def sweep(conn: Connection, *, before_ms: int, limit: int) -> int:
    """Forget up to `limit` rows of each kind that nobody has needed since `before_ms`; return how many are gone. 0 = all is tidy."""
    return sum(conn.execute(text(each), {"before": before_ms, "limit": limit}).rowcount for each in _FORGETTABLE)
