"""Addresses whose owners asked for no more messages: the public is left alone from then on, holders of seats are told all the same.

That somebody with a duty asked is never hidden: it is an event, and preview and explanation show it. A Cancel is a message like any other
here: whoever asked for silence in between gets none, and stands as not reached (DESIGN §11, 4).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.legs import OBLIGED
from warnd.ledger.outcomes import give_way
from warnd.ledger.values import many


def ask(conn: Connection, *, channel: str, address: str, stamp: Stamp) -> None:
    """Keep that an address wants no more messages on a channel; asking twice changes nothing."""
    kept = conn.execute(
        text("INSERT INTO opt_out (channel, address, since) VALUES (:channel, :address, :now) ON CONFLICT DO NOTHING"),
        {"channel": channel, "address": address, "now": stamp.now_ms},
    )
    if kept.rowcount == 1:
        events.append(conn, stamp=stamp, kind="opt_out.asked", message_id=None, data={"channel": channel})


def end(conn: Connection, *, channel: str, address: str, stamp: Stamp) -> None:
    """Let an address have messages again."""
    gone = conn.execute(
        text("DELETE FROM opt_out WHERE channel = :channel AND address = :address"),
        {"channel": channel, "address": address},
    )
    if gone.rowcount == 1:
        events.append(conn, stamp=stamp, kind="opt_out.ended", message_id=None, data={"channel": channel})


def spare(conn: Connection, nos: Sequence[int], *, stamp: Stamp) -> set[int]:
    """End those of the due legs that lead to people who asked to be left alone after the legs were made; return their numbers."""
    rows = list(
        conn.execute(
            many(
                "SELECT l.no, l.delivery_no, m.id AS message_id FROM leg l "
                "JOIN opt_out o ON o.channel = l.channel AND o.address = l.address "
                "JOIN delivery d ON d.no = l.delivery_no JOIN recipient_version v ON v.no = d.version_no "
                f"JOIN message m ON m.no = l.message_no WHERE l.no IN :nos AND NOT {OBLIGED} ORDER BY l.no",
                "nos",
            ),
            {"nos": list(nos)},
        )
    )
    if not rows:
        return set()
    conn.execute(
        text("UPDATE leg SET state = 'failed', due_at = :now WHERE no = :no AND state = 'due'"),
        [{"no": row.no, "now": stamp.now_ms} for row in rows],
    )
    _tell(conn, rows, kind="opt_out.spared", stamp=stamp)
    for row in rows:
        give_way(conn, delivery_no=row.delivery_no, stamp=stamp)
    return {row.no for row in rows}


def overrule(conn: Connection, *, message_no: int, after: int, stamp: Stamp) -> None:
    """Record which of the just-planned deliveries, numbered above `after`, go to people with a duty who asked to be left alone."""
    if conn.execute(text("SELECT 1 FROM opt_out LIMIT 1")).one_or_none() is None:
        return
    rows = conn.execute(
        text(
            "SELECT l.delivery_no, m.id AS message_id FROM delivery d JOIN leg l ON l.delivery_no = d.no "
            "JOIN opt_out o ON o.channel = l.channel AND o.address = l.address "
            "JOIN recipient_version v ON v.no = d.version_no JOIN message m ON m.no = d.message_no "
            f"WHERE d.no > :after AND +d.message_no = :no AND {OBLIGED} ORDER BY d.no"
        ),
        {"after": after, "no": message_no},
    )
    _tell(conn, list(rows), kind="opt_out.overruled", stamp=stamp)


def _tell(conn: Connection, rows: Sequence[Row[Any]], *, kind: str, stamp: Stamp) -> None:
    by_message: dict[str, list[int]] = {}
    for row in rows:
        by_message.setdefault(row.message_id, []).append(row.delivery_no)
    for message_id, nos in by_message.items():
        events.append(conn, stamp=stamp, kind=kind, message_id=message_id, data={"deliveries": nos})
