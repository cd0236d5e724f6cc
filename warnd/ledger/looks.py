"""One look for all lanes: in which of them anything is due. It takes no lock."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from warnd.ledger.priority import SEATS, all_of, priority

_SPAN = priority(1, SEATS) - priority(0, SEATS)
_PLACES = ", ".join(f"({each})" for each in all_of(0))


def due_lanes(conn: Connection, *, lanes: Sequence[str], now_ms: int) -> frozenset[str]:
    """Return those of these lanes in which a leg of an open message is due.

    The index is probed in its own order, once for each open message, lane and place, so that legs that are due later are never walked
    over; on a quiet night no message is open, and nothing is probed at all.
    """
    if not lanes:
        return frozenset()
    names = ", ".join(f"(CAST(:lane{n} AS TEXT))" for n in range(len(lanes)))
    found = conn.execute(
        text(
            f"WITH place(at) AS (VALUES {_PLACES}), lane(name) AS (VALUES {names}), "
            "live(no, urgency) AS (SELECT no, urgency FROM message WHERE closed_as IS NULL AND expires_at > :now) "
            "SELECT name FROM lane WHERE EXISTS (SELECT 1 FROM live CROSS JOIN place WHERE EXISTS ("
            "SELECT 1 FROM leg WHERE leg.message_no = live.no AND leg.lane = lane.name "
            f"AND leg.priority = live.urgency * {_SPAN} + place.at AND leg.state = 'due' AND leg.due_at <= :now))"
        ),
        {"now": now_ms, **{f"lane{n}": lane for n, lane in enumerate(lanes)}},
    )
    return frozenset(row.name for row in found)
