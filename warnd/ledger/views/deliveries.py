"""The deliveries of one warning with their legs and attempts, by region, page by page; addresses masked.

A million deliveries may belong to one warning, and the state or region asked for may be rare among them. So a page looks at a bounded
number of rows and then hands over what it found with a cursor, even if that is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.values import maybe_time
from warnd.ledger.views.cursor import cursor as cursor_of
from warnd.ledger.views.cursor import place
from warnd.ledger.views.legs import legs
from warnd.ledger.views.places import region as region_named
from warnd.ledger.views.totals import shown_state
from warnd.model.documents import DeliveryDocument, DeliveryPage
from warnd.model.evidence import Evidence
from warnd.model.region import subtree

LOOKED_AT = 20_000  # Rows that one page may look at.

COLUMNS = "d.no, c.id AS recipient, d.region, d.purpose, d.subject, d.proof, d.evidence, d.state, d.due_by, d.breached_at, d.satisfied_at"


def deliveries(
    conn: Connection,
    *,
    warning_id: str,
    limit: int,
    state: str | None = None,
    region: str | None = None,
    recipient: str | None = None,
    cursor: str | None = None,
    look_at: int = LOOKED_AT,
) -> DeliveryPage | None:
    """Return deliveries of one warning by (region, number), or None if no warning has this id.

    Args:
        conn: Reads only.
        warning_id: A warning that was never released has none.
        limit: Of the page.
        state: As shown: open deliveries of a cancelled warning are withdrawn.
        region: Deliveries at this region and all below it.
        recipient: A recipient's id.
        cursor: Where the listing goes on.
        look_at: How many rows this page may look at.

    Raises:
        UnknownRegion: `region` is not in the directory.
        BadCursor: `cursor` is none of this listing.
    """
    if conn.execute(text("SELECT 1 FROM warning WHERE id = :id"), {"id": warning_id}).one_or_none() is None:
        return None
    after = place(cursor, start=("", 0))
    message = conn.execute(text("SELECT no, closed_as FROM message WHERE id = :id"), {"id": warning_id}).one_or_none()
    if message is None:
        return DeliveryPage([], None)
    asked = _asked(conn, state=state, region=region, recipient=recipient, closed_as=message.closed_as)
    after_region, after_no = max(after, (asked.first, 0))
    values = {"no": message.no, "after_region": after_region, "after_no": after_no}
    end = None if recipient is not None else _end_of_window(conn, asked, values, rows=look_at)
    rows = _rows(conn, asked, values, end=end, limit=limit + 1)
    shown = rows[:limit]
    last = (shown[-1].region, shown[-1].no) if len(rows) > limit else end
    return DeliveryPage(documents(conn, shown, closed_as=message.closed_as), None if last is None else cursor_of(*last))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Conditions in SQL and their values: `source`, `first` and `window` bound where the page looks, `wanted` picks what it shows."""

    source: str
    first: str
    window: str
    wanted: str
    values: dict[str, Any]


_STATES = ("open", "satisfied", "exhausted", "expired", "withdrawn")
# One recipient has a handful of deliveries of one message; the limit keeps the planner from walking the listing's index for them.
_RECIPIENT = "recipient_no = (SELECT no FROM recipient WHERE id = :recipient)"
_OF_RECIPIENT = f"(SELECT * FROM delivery WHERE message_no = :no AND {_RECIPIENT} LIMIT 1000)"
_WALK = "d.message_no = :no AND (d.region, d.no) > (:after_region, :after_no)"


def _asked(
    conn: Connection, *, state: str | None, region: str | None, recipient: str | None, closed_as: str | None
) -> _Asked:
    source, first, window, wanted = "delivery", "", "", ""
    values: dict[str, Any] = {}
    if region is not None:
        low, high = subtree(region_named(conn, code=region).path)
        # National codes of one region stand together, so its first and last code bound the walk; others at worst widen it.
        inside = "SELECT code FROM region WHERE path >= :low AND path < :high"
        ends = conn.execute(
            text(f"SELECT min(code) AS first, max(code) AS last FROM ({inside}) AS r"),
            {"low": low, "high": high},
        ).one()
        window = " AND d.region <= :last"
        wanted += f" AND d.region IN ({inside})"
        first = ends.first
        values |= {"low": low, "high": high, "last": ends.last}
    if state is not None:
        kept = [each for each in _STATES if shown_state(each, closed_as) == state] or [""]
        # Two, because closing a message makes its open deliveries look like another state.
        wanted += " AND d.state IN (:state, :also)"
        values |= {"state": kept[0], "also": kept[-1]}
    if recipient is not None:
        source = _OF_RECIPIENT
        values["recipient"] = recipient
    return _Asked(source, first, window, wanted, values)


def _end_of_window(conn: Connection, asked: _Asked, values: dict[str, Any], *, rows: int) -> tuple[str, int] | None:
    """Return the last place that this page may look at, None if the listing ends before; read from the index alone."""
    row = conn.execute(
        text(
            f"SELECT d.region, d.no FROM delivery d WHERE {_WALK}{asked.window} "
            "ORDER BY d.region, d.no LIMIT 1 OFFSET :skip"
        ),
        {**values, **asked.values, "skip": rows - 1},
    ).one_or_none()
    return None if row is None else (row.region, row.no)


def _rows(
    conn: Connection, asked: _Asked, values: dict[str, Any], *, end: tuple[str, int] | None, limit: int
) -> Sequence[Row[Any]]:
    until = ""
    values = {**values, **asked.values, "limit": limit}
    if end is not None:
        until = " AND (d.region, d.no) <= (:end_region, :end_no)"
        values |= {"end_region": end[0], "end_no": end[1]}
    return conn.execute(
        text(
            f"SELECT {COLUMNS} FROM {asked.source} d JOIN recipient c ON c.no = d.recipient_no "
            f"WHERE {_WALK}{asked.window}{until}{asked.wanted} ORDER BY d.region, d.no LIMIT :limit"
        ),
        values,
    ).all()


def documents(conn: Connection, rows: Sequence[Row[Any]], *, closed_as: str | None) -> list[DeliveryDocument]:
    """Return deliveries with their legs and attempts.

    Args:
        conn: Reads only.
        rows: With the `COLUMNS` of this module.
        closed_as: As their message was closed.
    """
    found = legs(conn, kind="delivery", owners=[row.no for row in rows])
    return [
        DeliveryDocument(
            id=str(row.no),
            recipient=row.recipient,
            region=row.region,
            purpose=row.purpose,
            subject=row.subject,
            proof=Evidence(row.proof).word,  # type: ignore[arg-type] # a word of a closed list
            evidence=Evidence(row.evidence).word,  # type: ignore[arg-type] # the same
            state=shown_state(row.state, closed_as),  # type: ignore[arg-type] # the same
            due_by=maybe_time(row.due_by),
            breached_at=maybe_time(row.breached_at),
            satisfied_at=maybe_time(row.satisfied_at),
            legs=found.get(row.no, []),
        )
        for row in rows
    ]
