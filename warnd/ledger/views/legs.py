"""Legs and their attempts, for deliveries and for publications; addresses masked."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row

from warnd.ledger.values import from_ms, many, maybe_time
from warnd.model.documents import AttemptDocument, LegDocument
from warnd.model.mask import masked

_LEGS = {
    kind: many(
        f"SELECT no, {kind}_no AS owner, channel, address, state, due_at FROM leg WHERE {kind}_no IN :owners ORDER BY step, no",
        "owners",
    )
    for kind in ("delivery", "publication")
}
_ATTEMPTS = many(
    "SELECT leg_no, number, state, repeat, parts, submitted_at, ended_at, reference, reason, sender FROM attempt "
    "WHERE leg_no IN :legs ORDER BY leg_no, number",
    "legs",
)


def legs(
    conn: Connection, *, kind: Literal["delivery", "publication"], owners: Sequence[int]
) -> dict[int, list[LegDocument]]:
    """Return the legs of these deliveries or publications by their number, in the plan's order of channels."""
    rows = conn.execute(_LEGS[kind], {"owners": list(owners)}).all()
    tries: defaultdict[int, list[AttemptDocument]] = defaultdict(list)
    for row in conn.execute(_ATTEMPTS, {"legs": [leg.no for leg in rows]}):
        tries[row.leg_no].append(_attempt(row))
    found: defaultdict[int, list[LegDocument]] = defaultdict(list)
    for leg in rows:
        found[leg.owner].append(
            LegDocument(
                channel=leg.channel,
                address_masked=masked(leg.address),
                state=leg.state,
                due_at=from_ms(leg.due_at) if leg.state in ("due", "waiting") else None,
                attempts=tries[leg.no],
            )
        )
    return dict(found)


def _attempt(row: Row[Any]) -> AttemptDocument:
    return AttemptDocument(
        number=row.number,
        state=row.state,
        repeat=bool(row.repeat),
        parts=row.parts,
        submitted_at=from_ms(row.submitted_at),
        ended_at=maybe_time(row.ended_at),
        reference=row.reference,
        reason=row.reason,
        sender=row.sender,
    )
