"""What an answer link asks: one person's delivery as the page behind the link shows it. The answer itself comes in as a report."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import succession
from warnd.ledger.values import from_ms, maybe_time
from warnd.ledger.views import PublicWarning
from warnd.model.level import Level


@dataclass(frozen=True, slots=True)
class Question:
    """One request to confirm.

    Attributes:
        drill: It is no real warning, and the page must say so.
        channel: Which the link was sent by.
        name: Of the person who is asked, as in the directory.
        answered_at: When they first confirmed this message, by whatever channel; None = not yet.
        warning: What they are asked about.
        newer: What took it back or replaced it, if anything did.
    """

    drill: bool
    channel: str
    name: str
    answered_at: datetime | None
    warning: PublicWarning
    newer: PublicWarning | None


def question(conn: Connection, *, leg_no: int, number: int, now: datetime) -> Question | None:
    """Return what an attempt asks; None if there is no such attempt, or it asks nothing."""
    row = conn.execute(
        text(
            "SELECT l.channel, v.name, m.drill, m.id, m.chain_id, m.seq, (SELECT min(p.received_at) FROM receipt p "
            "WHERE p.delivery_no = d.no AND p.evidence = 4 AND p.failed = 0) AS answered_at "
            "FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no JOIN delivery d ON d.no = l.delivery_no "
            "JOIN recipient_version v ON v.no = d.version_no "
            "WHERE a.leg_no = :leg AND a.number = :number AND d.purpose = 'warning' AND v.kind <> 'household'"
        ),
        {"leg": leg_no, "number": number},
    ).one_or_none()
    if row is None:
        return None
    asked = conn.execute(text("SELECT * FROM warning WHERE id = :id"), {"id": row.id}).one()
    newer = conn.execute(
        text(
            "SELECT w.* FROM message m JOIN warning w ON w.id = m.id WHERE m.chain_id = :chain AND m.seq > :seq "
            "ORDER BY m.seq DESC LIMIT 1"
        ),
        _after(conn, row),
    ).one_or_none()
    return Question(
        drill=bool(row.drill),
        channel=row.channel,
        name=row.name,
        answered_at=maybe_time(row.answered_at),
        warning=_shown(asked, now=now),
        newer=None if newer is None else _shown(newer, now=now),
    )


def _after(conn: Connection, row: Row[Any]) -> dict[str, Any]:
    """Return from where on newer versions are looked for: all of the chain that took this one over, if one did."""
    heir = succession.heir(conn, row.chain_id)
    return {"chain": heir, "seq": row.seq if heir == row.chain_id else 0}


def _shown(row: Row[Any], *, now: datetime) -> PublicWarning:
    """Return a warning as pages show it, whatever its scope: whoever has the link was sent it."""
    cancels = row.msg_type == "Cancel"
    return PublicWarning(
        id=row.id,
        chain_id=row.chain_id,
        level=None if row.level is None else Level(row.level),
        state=_state(row, now=now),
        cancels=cancels,
        cancel_kind=row.cancel_kind,
        sent=from_ms(row.sent),
        expires=maybe_time(row.expires),
        released_at=from_ms(row.released_at or row.received_at),
        ended_at=maybe_time(row.ended_at),
        replaced_by=None,
        replaces=None,
        document=row.document,
    )


def _state(row: Row[Any], *, now: datetime) -> str:
    if row.state in {"cancelled", "superseded"}:
        return str(row.state)
    over = row.state == "expired" or (row.expires is not None and from_ms(row.expires) <= now)
    return "expired" if over else "live"
