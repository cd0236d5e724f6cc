"""Deliveries: evidence that only rises, and the states that follow from it, counters and villages kept in step."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events, legs, villages
from warnd.ledger.counters import Cell, move
from warnd.ledger.each import ManyRows, execute_each
from warnd.ledger.events import Stamp
from warnd.model.evidence import DeliveryState, Evidence

_ALL = 2**62


def raise_evidence(conn: Connection, proofs: Mapping[int, Evidence], *, stamp: Stamp) -> None:
    """Raise deliveries to at least the given evidence; whatever is not higher than what stands changes nothing.

    A delivery of an open message that now has the proof its plan demands becomes satisfied and its legs end. On a closed message evidence
    still rises, but the state stays: late is shown as late.

    `proofs` maps delivery numbers to the evidence proved.
    """
    changed = [row for row in _rows(conn, proofs) if proofs[row.no] > row.evidence]
    if not changed:
        return
    satisfied = [row for row in changed if _satisfies(row, proofs[row.no])]
    states = {row.no: DeliveryState.SATISFIED for row in satisfied}
    execute_each(
        conn,
        "UPDATE delivery SET evidence = :evidence, state = :state, "
        "satisfied_at = CASE WHEN :state = 'satisfied' THEN coalesce(satisfied_at, :now) ELSE satisfied_at END, "
        "breached_at = CASE WHEN :late = 1 THEN coalesce(breached_at, due_by) ELSE breached_at END "
        "WHERE no = :no AND evidence < :evidence",
        [
            {
                "no": row.no,
                "evidence": int(proofs[row.no]),
                "state": states.get(row.no, row.state),
                "late": int(row.no in states and _late(row, stamp)),
                "now": stamp.now_ms,
            }
            for row in changed
        ],
    )
    _tell_breaches(conn, [row for row in satisfied if _late(row, stamp) and row.breached_at is None], stamp=stamp)
    move(conn, ((_cell(row), _cell(row, proofs[row.no], states.get(row.no))) for row in changed))
    legs.finish(conn, delivery_nos=[row.no for row in satisfied])
    _tell(conn, changed, proofs, states, stamp=stamp)
    villages.heard(conn, [(row.no, proofs[row.no]) for row in changed], stamp=stamp)


_ROWS = ManyRows(
    "SELECT d.no, d.message_no, d.region, d.evidence, d.state, d.proof, d.due_by, d.breached_at, m.id AS message_id, m.closed_as "
    "FROM delivery d JOIN message m ON m.no = d.message_no WHERE d.no IN :nos",
    *("no", "message_no", "region", "evidence", "state", "proof", "due_by", "breached_at", "message_id", "closed_as"),
)


def _rows(conn: Connection, proofs: Iterable[int]) -> list[Row[Any]]:
    return sorted(_ROWS.fetch(conn, proofs), key=lambda row: row.no)


def _late(row: Row[Any], stamp: Stamp) -> bool:
    """Say whether proof that comes now comes after its time: a daemon that was down has not seen the hour pass."""
    return row.due_by is not None and bool(row.due_by < stamp.now_ms)


def _satisfies(row: Row[Any], evidence: Evidence) -> bool:
    open_still = row.closed_as is None and row.state in {DeliveryState.OPEN, DeliveryState.EXHAUSTED}
    return open_still and evidence >= row.proof


def _cell(row: Row[Any], evidence: Evidence | None = None, state: DeliveryState | None = None) -> Cell:
    return Cell(row.message_no, row.region, int(row.evidence if evidence is None else evidence), state or row.state)


def _tell(
    conn: Connection,
    changed: list[Row[Any]],
    proofs: Mapping[int, Evidence],
    states: Mapping[int, DeliveryState],
    *,
    stamp: Stamp,
) -> None:
    """Write one event for each message: which deliveries rose to what."""
    by_message: dict[str, list[list[Any]]] = {}
    for row in changed:
        told = [row.no, proofs[row.no].word, states.get(row.no, row.state)]
        by_message.setdefault(row.message_id, []).append(told)
    for message_id, rows in by_message.items():
        events.append(conn, stamp=stamp, kind="evidence.rose", message_id=message_id, data={"deliveries": rows})


def close_pathless(conn: Connection, *, message_no: int, after: int) -> None:
    """Mark just-planned deliveries that no channel can carry; they are not counted yet, so no counter moves."""
    conn.execute(
        text(
            "UPDATE delivery SET state = 'exhausted' WHERE no > :after AND +message_no = :no AND state = 'open' "
            "AND NOT EXISTS (SELECT 1 FROM leg WHERE leg.delivery_no = delivery.no)"
        ),
        {"no": message_no, "after": after},
    )


def settle_planned(conn: Connection, *, message_no: int, after: int, now_ms: int) -> None:
    """Mark just-planned deliveries that an earlier publication already satisfies; not counted yet."""
    conn.execute(
        text(
            "UPDATE delivery SET state = 'satisfied', satisfied_at = :now WHERE no > :after AND +message_no = :no "
            "AND evidence >= proof"
        ),
        {"no": message_no, "after": after, "now": now_ms},
    )


def exhaust(conn: Connection, *, delivery_no: int, stamp: Stamp) -> None:
    """Mark an open delivery whose every channel has done what it could. A late receipt may still satisfy it."""
    row = next(iter(_rows(conn, [delivery_no])), None)
    if row is None or row.state != DeliveryState.OPEN or legs.active(conn, delivery_no=delivery_no):
        return
    conn.execute(text("UPDATE delivery SET state = 'exhausted' WHERE no = :no AND state = 'open'"), {"no": delivery_no})
    move(conn, [(_cell(row), _cell(row, state=DeliveryState.EXHAUSTED))])
    events.append(
        conn, stamp=stamp, kind="delivery.exhausted", message_id=row.message_id, data={"delivery": delivery_no}
    )


def mark_breaches(conn: Connection, *, limit: int | None, stamp: Stamp, message_no: int | None = None) -> int:
    """Mark deliveries whose proof did not come by its time; later proof does not erase the mark. Return how many.

    Whoever was cancelled or superseded before the time has nothing to be late with. `limit` None = all there are.
    """
    rows = list(
        conn.execute(
            text(
                "UPDATE delivery SET breached_at = due_by WHERE no IN (SELECT d.no FROM message m "
                "JOIN delivery d ON d.message_no = m.no WHERE m.closed_as IS NULL AND d.breached_at IS NULL "
                "AND d.satisfied_at IS NULL AND d.due_by IS NOT NULL AND d.due_by <= :now AND d.due_by <= m.expires_at "
                f"{'' if message_no is None else 'AND m.no = :message '}ORDER BY d.due_by, d.no LIMIT :limit) "
                "RETURNING no, message_no, (SELECT id FROM message WHERE message.no = delivery.message_no) AS message_id"
            ),
            {"now": stamp.now_ms, "limit": _ALL if limit is None else limit, "message": message_no},
        )
    )
    _tell_breaches(conn, sorted(rows, key=lambda row: row.no), stamp=stamp)
    return len(rows)


def _tell_breaches(conn: Connection, rows: list[Row[Any]], *, stamp: Stamp) -> None:
    by_message: dict[str, list[int]] = {}
    for row in rows:
        by_message.setdefault(row.message_id, []).append(row.no)
    for message_id, nos in by_message.items():
        events.append(conn, stamp=stamp, kind="delivery.breached", message_id=message_id, data={"deliveries": nos})
