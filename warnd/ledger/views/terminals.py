"""All loudspeakers of the directory, as they last spoke of themselves."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import directory
from warnd.ledger.values import maybe_time
from warnd.ledger.views.cursor import cursor as cursor_of
from warnd.ledger.views.cursor import place
from warnd.ledger.views.speakers import online
from warnd.model.documents import TerminalDocument, TerminalPage


def terminals(conn: Connection, *, now: datetime, limit: int, cursor: str | None = None) -> TerminalPage:
    """Return registered terminals by (region, number), on the live root.

    Args:
        conn: Reads only.
        now: Aware UTC; decides whose heartbeats are missing.
        limit: Of the page.
        cursor: Where the listing goes on.

    Raises:
        BadCursor: `cursor` is none of this listing.
    """
    after_region, after_no = place(cursor, start=("", 0))
    rows = conn.execute(
        text(
            "SELECT v.recipient_no AS no, c.id, v.name, v.region, s.online, s.last_seen, s.heartbeat_s, s.clock, s.amplifier, s.volume "
            "FROM recipient_version v JOIN recipient c ON c.no = v.recipient_no "
            "LEFT JOIN terminal_state s ON s.terminal = c.id AND s.drill = 0 "
            "WHERE v.kind = 'terminal' AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev) "
            "AND (v.region, v.recipient_no) > (:after_region, :after_no) ORDER BY v.region, v.recipient_no LIMIT :limit"
        ),
        {
            "rev": directory.revision(conn),
            "after_region": after_region,
            "after_no": after_no,
            "limit": limit + 1,
        },
    ).all()
    shown = rows[:limit]
    cut = len(rows) > limit
    return TerminalPage(
        [_document(row, now=now) for row in shown], cursor_of(shown[-1].region, shown[-1].no) if cut else None
    )


def _document(row: Row[Any], *, now: datetime) -> TerminalDocument:
    return TerminalDocument(
        id=row.id,
        name=row.name,
        region=row.region,
        online=online(row, now=now),
        last_seen=maybe_time(row.last_seen),
        clock=row.clock,
        amplifier=row.amplifier,
        volume=row.volume,
    )
