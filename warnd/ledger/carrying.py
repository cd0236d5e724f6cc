"""Who hears an Update or a Cancel because they may have got what it ends, chunk by chunk, in the order in which they were told."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import drafts, legs, listeners, publications, succession
from warnd.ledger.directory import VISIBLE
from warnd.ledger.values import many
from warnd.model.evidence import Evidence
from warnd.model.plan import Plan


def carry(
    conn: Connection, message: Row[Any], plan: Plan, *, cursor: dict[str, Any], channels: frozenset[str], limit: int
) -> dict[str, Any]:
    """Carry the next recipients over who may have got an earlier message of the chain; return the cursor, empty at the end."""
    earlier = succession.before(conn, message)
    position = cursor.get("of", 0)
    if position >= len(earlier):
        return {}
    old_no, whom = earlier[position].no, _whom(conn, message, of_chain=earlier[position].chain_id)
    if "topics" in cursor:
        if whom is Whom.PEOPLE:
            return {"of": position + 1}
        return _listeners(conn, message, plan, cursor=cursor, old_no=old_no, channels=channels, limit=limit)
    after, last = cursor.get("span") or _span(conn, old_no=old_no)
    if after >= last:
        return {"of": position, "topics": "", "below": ""}
    upto: int = conn.execute(
        text(
            "SELECT max(no) FROM (SELECT no FROM delivery WHERE no > :after AND no <= :last ORDER BY no LIMIT :limit) AS chunk"
        ),
        {"after": after, "last": last, "limit": limit},
    ).scalar_one()
    carry_range(conn, message=message, plan=plan, old_no=old_no, after=after, upto=upto, channels=channels, whom=whom)
    return {"of": position, "span": [upto, last]}


def _span(conn: Connection, *, old_no: int) -> tuple[int, int]:
    """Return between which numbers an older message's deliveries lie: (the one before the first, the last)."""
    row = conn.execute(
        text("SELECT min(no) AS first, max(no) AS last FROM delivery WHERE message_no = :old"), {"old": old_no}
    ).one()
    return (row.first - 1, row.last) if row.last is not None else (0, 0)


class Whom(StrEnum):
    """Whom a message tells of an older one. Its value is the condition on the recipient's version."""

    EVERYBODY = "1 = 1"
    PEOPLE = "v.kind <> 'terminal'"
    TERMINALS = "v.kind = 'terminal'"


def _whom(conn: Connection, message: Row[Any], *, of_chain: str) -> Whom:
    """Return whom a message tells of an older one of this chain.

    Where another chain took this one over, its people hear from there, and the Cancel in it silences its loudspeakers.
    """
    if message.chain_id != of_chain:
        return Whom.PEOPLE
    return Whom.TERMINALS if succession.taken_over(conn, of_chain) else Whom.EVERYBODY


def carry_range(
    conn: Connection,
    *,
    message: Row[Any],
    plan: Plan,
    old_no: int,
    after: int,
    upto: int,
    channels: frozenset[str],
    whom: Whom,
) -> None:
    """Give a Cancel or Update to those who may have got an older message, on the same channels.

    They are taken by its deliveries numbered (after, upto]: in the order in which they were told, those with a duty first.
    """
    before = drafts.last(conn)
    conn.execute(
        text(
            f"{drafts.INSERT} SELECT :no, d.recipient_no, d.version_no, :purpose, '', d.region, -1, "
            "CASE WHEN v.kind = 'household' THEN :accepted ELSE :delivered END, 0, 'open', NULL "
            "FROM delivery d JOIN recipient_version v ON v.no = d.version_no "
            f"WHERE +d.message_no = :old AND d.no > :after AND d.no <= :upto AND {whom} AND "
            "(d.evidence > 0 OR EXISTS (SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no WHERE l.delivery_no = d.no "
            "AND a.state IN ('submitting', 'accepted', 'unknown'))) "
            "AND NOT EXISTS (SELECT 1 FROM delivery told WHERE told.message_no = :no AND told.recipient_no = d.recipient_no) "
            f"ORDER BY d.no {drafts.ONCE}"
        ),
        {
            "no": message.no,
            "old": old_no,
            "after": after,
            "upto": upto,
            "purpose": _purpose(message),
            "accepted": int(Evidence.ACCEPTED),
            "delivered": int(Evidence.DELIVERED),
        },
    )
    publications.cover_new(conn, message_no=message.no, after=before)
    legs.carry(conn, message=message, plan=plan, old_no=old_no, after=before, channels=channels)
    _tell_terminals(conn, message, plan, after=before, channels=channels)
    drafts.finish(conn, message_no=message.no, after=before)


def _listeners(
    conn: Connection,
    message: Row[Any],
    plan: Plan,
    *,
    cursor: dict[str, Any],
    old_no: int,
    channels: frozenset[str],
    limit: int,
) -> dict[str, Any]:
    """Carry the next terminals over that read a topic of an older message and were not planned for it before it was closed."""
    place, codes = listeners.next_regions(conn, old_no=old_no, cursor=cursor, limit=limit)
    before = drafts.last(conn)
    conn.execute(
        many(
            f"{drafts.INSERT} SELECT :no, v.recipient_no, v.no, :purpose, '', v.region, -1, :delivered, 0, 'open', NULL "
            f"FROM recipient_version v WHERE v.region IN :codes AND v.kind = 'terminal' AND {VISIBLE} "
            "AND NOT EXISTS (SELECT 1 FROM delivery told WHERE told.message_no = :no AND told.recipient_no = v.recipient_no) "
            f"ORDER BY v.recipient_no {drafts.ONCE}",
            "codes",
            of=str,
        ),
        {
            "no": message.no,
            "rev": message.directory_rev,
            "codes": codes,
            "purpose": _purpose(message),
            "delivered": int(Evidence.DELIVERED),
        },
    )
    publications.cover_new(conn, message_no=message.no, after=before)
    _tell_terminals(conn, message, plan, after=before, channels=channels)
    drafts.finish(conn, message_no=message.no, after=before)
    return {"of": cursor["of"], **place} if place else {"of": cursor["of"] + 1}


def _purpose(message: Row[Any]) -> str:
    return "cancel" if message.kind == "cancel" else "area"


def _tell_terminals(conn: Connection, message: Row[Any], plan: Plan, *, after: int, channels: frozenset[str]) -> None:
    """Give carried-over terminals that never had a command of their own one now, should the topic not do."""
    if "mqtt" in channels:
        legs.direct(
            conn,
            message=message,
            after=after,
            tries=plan.cancel_tries,
            wait_ms=plan.cancel_wait_s * 1000,
            now_ms=message.released_at,
        )
