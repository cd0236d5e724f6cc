"""Deliveries: evidence that only rises, and the states that follow from it, counters and villages kept in step."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events, legs, villages
from warnd.ledger.counters import Cell, move
from warnd.ledger.events import Stamp
from warnd.ledger.values import many
from warnd.model.evidence import DeliveryState, Evidence


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
    conn.execute(
        text(
            "UPDATE delivery SET evidence = :evidence, state = :state, "
            "satisfied_at = CASE WHEN :state = 'satisfied' THEN coalesce(satisfied_at, :now) ELSE satisfied_at END "
            "WHERE no = :no AND evidence < :evidence"
        ),
        [
            {"no": row.no, "evidence": int(proofs[row.no]), "state": states.get(row.no, row.state), "now": stamp.now_ms}
            for row in changed
        ],
    )
    move(conn, ((_cell(row), _cell(row, proofs[row.no], states.get(row.no))) for row in changed))
    legs.finish(conn, delivery_nos=[row.no for row in satisfied])
    _tell(conn, changed, proofs, states, stamp=stamp)
    villages.heard(conn, [(row.no, proofs[row.no]) for row in changed], stamp=stamp)


def _rows(conn: Connection, proofs: Iterable[int]) -> list[Row[Any]]:
    statement = many(
        "SELECT d.no, d.message_no, d.region, d.evidence, d.state, d.proof, m.id AS message_id, m.closed_as "
        "FROM delivery d JOIN message m ON m.no = d.message_no WHERE d.no IN :nos ORDER BY d.no",
        "nos",
    )
    return list(conn.execute(statement, {"nos": sorted(proofs)}))


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


def mark_breaches(conn: Connection, *, limit: int, stamp: Stamp) -> int:
    """Mark deliveries whose proof did not come by its time; later proof does not erase the mark. Return how many."""
    rows = list(
        conn.execute(
            text(
                "UPDATE delivery SET breached_at = due_by WHERE no IN (SELECT no FROM delivery WHERE breached_at IS NULL "
                "AND satisfied_at IS NULL AND due_by IS NOT NULL AND due_by <= :now ORDER BY due_by, no LIMIT :limit) "
                "RETURNING no, message_no"
            ),
            {"now": stamp.now_ms, "limit": limit},
        )
    )
    by_message: dict[int, list[int]] = {}
    for row in sorted(rows):
        by_message.setdefault(row.message_no, []).append(row.no)
    for message_no, nos in by_message.items():
        message_id = conn.execute(text("SELECT id FROM message WHERE no = :no"), {"no": message_no}).scalar_one()
        events.append(conn, stamp=stamp, kind="delivery.breached", message_id=message_id, data={"deliveries": nos})
    return len(rows)
