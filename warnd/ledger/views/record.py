"""The record of what happened to one warning, as a stream that goes on where it stopped."""

import json

from sqlalchemy import Connection, text

from warnd.ledger.values import from_ms
from warnd.model.documents import EventDocument


def events(conn: Connection, *, warning_id: str, after: int, limit: int) -> list[EventDocument]:
    """Return up to `limit` events of this warning that are numbered above `after`, in order."""
    rows = conn.execute(
        text("SELECT no, at, kind, data FROM event WHERE message_id = :id AND no > :after ORDER BY no LIMIT :limit"),
        {"id": warning_id, "after": after, "limit": limit},
    )
    return [EventDocument(row.no, from_ms(row.at), row.kind, json.loads(row.data)) for row in rows]
