"""Leases: what becomes of tries whose worker has gone silent."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.each import execute_each
from warnd.ledger.events import Stamp
from warnd.ledger.values import many
from warnd.model.evidence import DeliveryState

_UNDER_WAY = (
    "SELECT l.no, l.attempts, l.channel, l.wait_ms, m.id AS message_id, d.state AS delivery_state "
    "FROM leg l JOIN message m ON m.no = l.message_no LEFT JOIN delivery d ON d.no = l.delivery_no "
    "WHERE l.state = 'submitting' AND {whose} ORDER BY l.no"
)
_ENDED = text(_UNDER_WAY.format(whose="l.lease_until <= :now"))
_OF_OTHERS = text(_UNDER_WAY.format(whose="l.owner <> :writer"))
_UNHEARD = text(_UNDER_WAY.format(whose="l.owner = :writer AND l.lane = :lane AND l.last_at = :at"))
_NEVER_BEGUN = "never left: the store did not say that it was claimed"
_OF_THE_DEAD = many(_UNDER_WAY.format(whose="l.owner IN :gone"), "gone", of=str)


def lapse(conn: Connection, *, stamp: Stamp, everyone: bool, gone: Collection[str] = ()) -> list[tuple[int, int, str]]:
    """Turn attempts whose lease has ended, or whose worker is `gone`, into unknown: they may have left.

    `everyone` is for the start of the one daemon of a file: whoever held a lease before is gone. Returns (leg number,
    attempt number, channel) of each, for asking the provider what became of it.
    """
    rows = conn.execute(_ENDED, {"now": stamp.now_ms}).all()
    if everyone:
        rows = [*rows, *conn.execute(_OF_OTHERS, {"writer": stamp.writer})]
    if gone:
        rows = [*rows, *conn.execute(_OF_THE_DEAD, {"gone": sorted(gone)})]
    unique = {row.no: row for row in rows}
    return _lapse(conn, [unique[no] for no in sorted(unique)], stamp=stamp)


def take_back(
    conn: Connection, *, lane: str, claimed_at_ms: int, stamp: Stamp, begun: Collection[tuple[int, int]] = ()
) -> int:
    """Make tries due again that this worker claimed for a lane at that time, and never began: it did not hear that its claim stood.

    They fail without a trace outside, so that the next try is no repeat. `begun` are those (leg, number) that it heard of and began in the
    same moment. Returns how many there were.
    """
    whose = {"lane": lane, "writer": stamp.writer, "at": claimed_at_ms}
    rows = [row for row in conn.execute(_UNHEARD, whose) if (row.no, row.attempts) not in begun]
    of = [{"no": row.no, "number": row.attempts, "now": stamp.now_ms, "reason": _NEVER_BEGUN} for row in rows]
    execute_each(
        conn,
        "UPDATE attempt SET state = 'failed', ended_at = :now, reason = :reason WHERE leg_no = :no AND number = :number "
        "AND state = 'submitting'",
        of,
    )
    execute_each(
        conn,
        "UPDATE leg SET state = :state, due_at = :now, token = token + 1, owner = NULL, lease_until = NULL "
        "WHERE no = :no AND state = 'submitting'",
        [{"no": row.no, "now": stamp.now_ms, "state": _onward(row, "due")} for row in rows],
    )
    by_message: dict[str, list[list[Any]]] = {}
    for row in rows:
        by_message.setdefault(row.message_id, []).append([row.no, row.attempts, "failed", _NEVER_BEGUN])
    for message_id, tries in by_message.items():
        events.append(conn, stamp=stamp, kind="attempt.recorded", message_id=message_id, data={"attempts": tries})
    return len(rows)


def _onward(row: Row[Any], state: str) -> str:
    """Return what a leg does next; whoever has answered by another channel meanwhile is not told again."""
    return "done" if row.delivery_state == DeliveryState.SATISFIED else state


def give_up(conn: Connection, *, stamp: Stamp) -> None:
    """Turn this worker's own attempts into unknown, when it ends before their outcomes have come."""
    _lapse(conn, conn.execute(_OF_THE_DEAD, {"gone": [stamp.writer]}).all(), stamp=stamp)


def _lapse(conn: Connection, rows: Sequence[Row[Any]], *, stamp: Stamp) -> list[tuple[int, int, str]]:
    if not rows:
        return []
    conn.execute(
        text(
            "UPDATE attempt SET state = 'unknown', reason = 'lapsed' WHERE leg_no = :no AND number = :number AND state = 'submitting'"
        ),
        [{"no": row.no, "number": row.attempts} for row in rows],
    )
    conn.execute(
        text(
            "UPDATE leg SET state = :state, due_at = :due_at, repeat = 1, token = token + 1, owner = NULL, lease_until = NULL "
            "WHERE no = :no AND state = 'submitting'"
        ),
        [
            {
                "no": row.no,
                "due_at": stamp.now_ms + row.wait_ms,
                "state": _onward(row, "waiting"),
            }
            for row in rows
        ],
    )
    by_message: dict[str, list[list[int]]] = {}
    for row in rows:
        by_message.setdefault(row.message_id, []).append([row.no, row.attempts])
    for message_id, tries in by_message.items():
        events.append(
            conn, stamp=stamp, kind="attempt.unknown", message_id=message_id, data={"legs": tries, "reason": "lapsed"}
        )
    return [(row.no, row.attempts, row.channel) for row in rows]
