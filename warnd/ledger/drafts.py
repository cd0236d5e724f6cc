"""Deliveries as a planning chunk makes them: how they are written, and what is done with all that one chunk wrote."""

from sqlalchemy import Connection, text

from warnd.ledger import counters, deliveries, tallies

INSERT = "INSERT INTO delivery (message_no, recipient_no, version_no, purpose, subject, region, audience, proof, evidence, state, due_by) "
ONCE = "ON CONFLICT (message_no, recipient_no, purpose, subject) DO NOTHING"


def last(conn: Connection) -> int:
    """Return the highest number of a delivery; what a chunk makes has higher ones."""
    found: int | None = conn.execute(text("SELECT max(no) FROM delivery")).scalar()
    return found or 0


def finish(conn: Connection, *, message_no: int, after: int) -> None:
    """Close those above `after` that got no leg, and count all of them."""
    tallies.add_planned(conn, message_no=message_no, after=after)
    deliveries.close_pathless(conn, message_no=message_no, after=after)
    counters.add_planned(conn, message_no=message_no, after=after)
