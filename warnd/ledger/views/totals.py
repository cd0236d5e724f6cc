"""How far warnings have come, from the counters alone: a few rows for each, however many deliveries there are."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from warnd.ledger import tallies
from warnd.ledger.values import many
from warnd.model.documents import DeliveryCounts, EvidenceCounts, Totals, VillageCounts
from warnd.model.evidence import Evidence

_MESSAGES = many("SELECT no, id, stage, closed_as FROM message WHERE id IN :ids", "ids", of=str)
_COUNTERS = many(
    "SELECT message_no, evidence, state, n FROM counter WHERE region = '' AND n > 0 AND message_no IN :nos", "nos"
)
_VILLAGES = many(
    "SELECT message_no, targeted, confirmed, late FROM village_tally WHERE region = '' AND message_no IN :nos", "nos"
)


def totals(conn: Connection, *, ids: Sequence[str]) -> dict[str, Totals]:
    """Return the totals of those of the warnings for which a message was opened."""
    messages = conn.execute(_MESSAGES, {"ids": list(ids)}).all()
    closed = {row.no: row.closed_as for row in messages}
    states: dict[int, Counter[str]] = {no: Counter() for no in closed}
    evidence: dict[int, Counter[str]] = {no: Counter() for no in closed}
    for no, proof, state, n in conn.execute(_COUNTERS, {"nos": list(closed)}):
        states[no][shown_state(state, closed[no])] += n
        evidence[no][Evidence(proof).word] += n
    villages = {
        row.message_no: VillageCounts(row.targeted, row.confirmed, row.late, row.targeted - row.confirmed)
        for row in conn.execute(_VILLAGES, {"nos": list(closed)})
    }
    segments, channels = tallies.segments(conn, list(closed)), tallies.evidence(conn, list(closed))
    return {
        row.id: Totals(
            deliveries=DeliveryCounts(**states[row.no]),
            evidence=EvidenceCounts(**evidence[row.no]),
            villages=villages.get(row.no, VillageCounts()),
            planned=row.stage == "planned",
            segments=segments.get(row.no, {}),
            channels=channels.get(row.no, {}),
        )
        for row in messages
    }


def shown_state(state: str, closed_as: str | None) -> str:
    """Return a delivery's state as everybody sees it: closing a message ends its open deliveries without touching their rows."""
    return closed_as if state == "open" and closed_as else state
