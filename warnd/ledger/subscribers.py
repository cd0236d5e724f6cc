"""Who among the browsers that subscribed to places is told of a message: a publication for each, planned after everybody with a duty.

Told are those whose place lies in the area, and those whose place contains part of it; of a Cancel or Update also those who may have
got what it replaces. They make no deliveries: nobody owes a stranger's browser a proof, and totals do not count them.
"""

from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import succession
from warnd.ledger.priority import PUBLIC, lane, priority
from warnd.ledger.publications import UNSURE_MS, maybe_out
from warnd.ledger.values import many

_PUBLISH = "INSERT INTO publication (message_no, channel, target, lang, purpose) "
_ONCE = "ON CONFLICT (message_no, channel, target) DO NOTHING"


def plan(conn: Connection, *, message: Row[Any], cursor: dict[str, Any], regions: int, rows: int) -> dict[str, Any]:
    """Make the next publications and their legs; return the cursor, empty at the end.

    At most `regions` target regions are looked at, and at most `rows` browsers told, so that the write lock is held briefly.
    """
    before: int = conn.execute(text("SELECT coalesce(max(no), 0) FROM publication")).scalar_one()
    if message.public and message.kind != "cancel" and "of" not in cursor:
        left = _of_the_area(conn, message, cursor=cursor, regions=regions, rows=rows) or {"of": 0, "after": ""}
    else:
        left = _of_earlier(conn, message, cursor=cursor, rows=rows)
    _legs(conn, message, after=before)
    return left


def _of_the_area(
    conn: Connection, message: Row[Any], *, cursor: dict[str, Any], regions: int, rows: int
) -> dict[str, Any]:
    """Walk the message's target regions, which hold the ancestors, too; within a region its subscriptions."""
    place = {"no": message.no, "target": cursor.get("target", 0), "subscription": cursor.get("subscription", 0)}
    upto = conn.execute(
        text(
            "SELECT max(no) FROM (SELECT no FROM target WHERE message_no = :no AND no >= :target ORDER BY no LIMIT :regions) AS chunk"
        ),
        {**place, "regions": regions},
    ).scalar()
    if upto is None:
        return {}
    walk = (
        "FROM target t JOIN subscription s ON s.region = t.code WHERE t.message_no = :no AND t.no >= :target AND t.no <= :upto "
        "AND (t.no > :target OR s.no > :subscription) ORDER BY t.no, s.no"
    )
    bounds = {**place, "upto": upto}
    end = conn.execute(
        text(f"SELECT t.no AS target_no, s.no AS subscription_no {walk} LIMIT 1 OFFSET :skip"),
        {**bounds, "skip": rows - 1},
    ).one_or_none()
    conn.execute(
        text(f"{_PUBLISH} SELECT :no, 'push', s.endpoint_hash, s.lang, 'warning' {walk} LIMIT :limit {_ONCE}"),
        {**bounds, "limit": rows},
    )
    if end is not None:
        return {"target": end.target_no, "subscription": end.subscription_no}
    return {"target": upto + 1, "subscription": 0}


def _of_earlier(conn: Connection, message: Row[Any], *, cursor: dict[str, Any], rows: int) -> dict[str, Any]:
    """Walk the publications of earlier messages of the chain that may have reached somebody."""
    earlier = [] if succession.taken_over(conn, message.chain_id) else _earlier(conn, message)
    position, after = cursor.get("of", 0), cursor.get("after", "")
    if position >= len(earlier):
        return {}
    bounds = {"old": earlier[position], "after": after}
    upto = conn.execute(
        text(
            "SELECT max(target) FROM (SELECT target FROM publication WHERE message_no = :old AND channel = 'push' AND target > :after "
            "ORDER BY target LIMIT :rows) AS chunk"
        ),
        {**bounds, "rows": rows},
    ).scalar()
    if upto is None:
        return {"of": position + 1, "after": ""}
    conn.execute(
        text(
            f"{_PUBLISH} SELECT :no, 'push', p.target, p.lang, :purpose FROM publication p WHERE p.message_no = :old "
            f"AND p.channel = 'push' AND p.target > :after AND p.target <= :upto AND {maybe_out('p.no')} ORDER BY p.target {_ONCE}"
        ),
        {**bounds, "no": message.no, "upto": upto, "purpose": "cancel" if message.kind == "cancel" else "area"},
    )
    return {"of": position, "after": upto}


def _earlier(conn: Connection, message: Row[Any]) -> list[int]:
    return [one.no for one in succession.before(conn, message)]


def _legs(conn: Connection, message: Row[Any], *, after: int) -> None:
    """Give the publications numbered above `after` their legs, to where each browser hears today, else to where it heard last."""
    conn.execute(
        many(
            "INSERT INTO leg (message_no, publication_no, channel, address, lane, step, priority, state, due_at, attempts, tries, "
            "failures, tries_max, wait_ms, repeat, token) SELECT :no, p.no, 'push', coalesce("
            "(SELECT s.address FROM subscription s WHERE s.endpoint_hash = p.target LIMIT 1), "
            "(SELECT l.address FROM message m JOIN publication q ON q.message_no = m.no AND q.channel = 'push' AND q.target = p.target "
            "JOIN leg l ON l.publication_no = q.no WHERE m.no IN :earlier ORDER BY m.no DESC LIMIT 1)), "
            ":lane, 0, :priority, 'due', :due_at, 0, 0, 0, 1, :wait_ms, 0, 0 "
            "FROM publication p WHERE p.no > :after AND +p.message_no = :no AND p.channel = 'push' ORDER BY p.no",
            "earlier",
        ),
        {
            "no": message.no,
            "after": after,
            "earlier": _earlier(conn, message),
            "lane": lane("push", drill=bool(message.drill)),
            "priority": priority(message.urgency, PUBLIC),
            "due_at": message.released_at,
            "wait_ms": UNSURE_MS,
        },
    )
