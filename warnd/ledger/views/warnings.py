"""Warnings as the API shows them."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.values import from_ms, maybe_time
from warnd.ledger.views.cursor import cursor as cursor_of
from warnd.ledger.views.cursor import place
from warnd.ledger.views.totals import totals
from warnd.model.documents import (
    Approval,
    ReasonDocument,
    ReferenceDocument,
    Totals,
    WarningDocument,
    WarningPage,
)
from warnd.model.level import Level

_COLUMNS = (
    "no, id, chain_id, seq, sender, identifier, sent, status, msg_type, scope, level, event, headline, state, reasons, expires, "
    "refs, cancel_kind, approvals, received_at, released_at, ended_at"
)
_NEWEST = (1 << 62,)  # Before the first row of a listing that goes down.


def warning(conn: Connection, *, warning_id: str) -> WarningDocument | None:
    """Return one warning, or None."""
    row = conn.execute(
        text(f"SELECT {_COLUMNS} FROM warning WHERE id = :id"),
        {"id": warning_id},
    ).one_or_none()
    return None if row is None else _document(row, totals(conn, ids=[warning_id]).get(warning_id, Totals()))


def warnings(
    conn: Connection,
    *,
    state: str | None = None,
    sender: str | None = None,
    identifier: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> WarningPage:
    """Return warnings, newest first, of this state, CAP sender and CAP identifier where given.

    Raises:
        BadCursor: `cursor` is none of this listing.
    """
    (before,) = place(cursor, start=_NEWEST)
    asked = {"state": state, "sender": sender, "identifier": identifier}
    given = {name: value for name, value in asked.items() if value is not None}
    narrowed = "".join(f" AND {name} = :{name}" for name in given)
    rows = conn.execute(
        text(f"SELECT {_COLUMNS} FROM warning WHERE no < :before{narrowed} ORDER BY no DESC LIMIT :limit"),
        {**given, "before": before, "limit": limit + 1},
    ).all()
    shown = rows[:limit]
    counted = totals(conn, ids=[row.id for row in shown])
    documents = [_document(row, counted.get(row.id, Totals())) for row in shown]
    return WarningPage(documents, cursor_of(shown[-1].no) if len(rows) > limit else None)


def _document(row: Row[Any], counted: Totals) -> WarningDocument:
    return WarningDocument(
        id=row.id,
        chain_id=row.chain_id,
        seq=row.seq,
        sender=row.sender,
        identifier=row.identifier,
        sent=from_ms(row.sent),
        status=row.status,
        msg_type=row.msg_type,
        scope=row.scope,
        level=None if row.level is None else Level(row.level).word,  # type: ignore[arg-type] # a word of a closed list
        event=row.event,
        headline=row.headline,
        state=row.state,
        reasons=[ReasonDocument(**reason) for reason in json.loads(row.reasons)],
        expires=maybe_time(row.expires),
        references=[_reference(*triple) for triple in json.loads(row.refs)],
        cancel_kind=row.cancel_kind,
        approvals=[Approval(each["by"], from_ms(each["at"]), each["action"]) for each in json.loads(row.approvals)],
        received_at=from_ms(row.received_at),
        released_at=maybe_time(row.released_at),
        ended_at=maybe_time(row.ended_at),
        totals=counted,
    )


def _reference(sender: str, identifier: str, sent: str | None) -> ReferenceDocument:
    """Return a reference; what stood in place of a time and is none is left out."""
    try:
        at = datetime.fromisoformat(sent) if sent else None
    except ValueError:
        at = None
    return ReferenceDocument(
        sender, identifier, at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    )
