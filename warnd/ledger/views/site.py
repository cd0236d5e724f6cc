"""What the public may see: released Actual warnings of scope Public, and nothing else, whatever its state was or is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.values import from_ms, maybe_time, to_ms
from warnd.model.level import Level

MOST = 500  # Warnings on the front page and in the feed.
CANCEL_SHOWN = timedelta(days=1)  # A Cancel that names no end of its own.

# One condition decides for every page, so that no page can show more than another. A warning that was never released was
# never public: held, in review, rejected, quarantined, or cancelled before it began.
_PUBLIC = (
    "w.scope = 'Public' AND w.status = 'Actual' AND w.released_at IS NOT NULL AND w.state IN "
    "('dispatching', 'completed', 'cancelled', 'superseded', 'expired')"
)
_SELECT = (
    "SELECT w.no, w.id, w.chain_id, w.seq, w.msg_type, w.level, w.state, w.cancel_kind, w.sent, w.expires, w.released_at, "
    "w.ended_at, w.document, "
    f"(SELECT c.id FROM warning c WHERE c.chain_id = w.chain_id AND c.seq > w.seq AND {_PUBLIC.replace('w.', 'c.')} "
    "ORDER BY c.seq DESC, c.no DESC LIMIT 1) AS replaced_by, "
    f"(SELECT c.id FROM warning c WHERE c.chain_id = w.chain_id AND c.seq < w.seq AND {_PUBLIC.replace('w.', 'c.')} "
    "ORDER BY c.seq DESC, c.no DESC LIMIT 1) AS replaces FROM warning w"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicWarning:
    """One warning that the public may see.

    Attributes:
        state: live, cancelled, superseded or expired, by the ledger and by the clock.
        cancels: True for a Cancel: it takes back what was said and warns of nothing.
        cancel_kind: lift or retract; None = neither was said.
        replaced_by: Id of the newest public message of the chain that came after this one.
        replaces: Id of the newest one that came before it.
        document: CAP as it came in; `warnd.model.cap.parse` reads it.
    """

    id: str
    chain_id: str
    level: Level | None
    state: str
    cancels: bool
    cancel_kind: str | None
    sent: datetime
    expires: datetime | None
    released_at: datetime
    ended_at: datetime | None
    replaced_by: str | None
    replaces: str | None
    document: bytes


def public_warnings(conn: Connection, *, now: datetime) -> list[PublicWarning]:
    """Return what is in force now, gravest and newest first, and then the Cancels that are still of interest, newest first."""
    rows = conn.execute(
        text(
            f"{_SELECT} WHERE {_PUBLIC} AND CASE WHEN w.msg_type = 'Cancel' "
            "THEN w.state IN ('dispatching', 'completed', 'expired') AND coalesce(w.expires, w.released_at + :cancel_ms) > :now "
            "ELSE w.state IN ('dispatching', 'completed') AND w.expires > :now END "
            "ORDER BY CASE WHEN w.msg_type = 'Cancel' THEN 1 ELSE 0 END, coalesce(w.level, 9), w.released_at DESC, w.no DESC LIMIT :most"
        ),
        {"now": to_ms(now), "cancel_ms": CANCEL_SHOWN // timedelta(milliseconds=1), "most": MOST},
    )
    return [_public(row, now=now) for row in rows]


def public_warning(conn: Connection, *, warning_id: str, now: datetime) -> PublicWarning | None:
    """Return one warning that the public may see, whether in force or past; None for everything else."""
    row = conn.execute(text(f"{_SELECT} WHERE w.id = :id AND {_PUBLIC}"), {"id": warning_id}).one_or_none()
    return None if row is None else _public(row, now=now)


def _public(row: Row[Any], *, now: datetime) -> PublicWarning:
    cancels = row.msg_type == "Cancel"
    return PublicWarning(
        id=row.id,
        chain_id=row.chain_id,
        level=None if row.level is None else Level(row.level),
        state=_state(row, cancels=cancels, now_ms=to_ms(now)),
        cancels=cancels,
        cancel_kind=row.cancel_kind,
        sent=from_ms(row.sent),
        expires=maybe_time(row.expires),
        released_at=from_ms(row.released_at),
        ended_at=maybe_time(row.ended_at),
        replaced_by=row.replaced_by,
        replaces=row.replaces,
        document=row.document,
    )


def _state(row: Row[Any], *, cancels: bool, now_ms: int) -> str:
    """Return how a page shows it: what a Cancel says stays true after its life."""
    if row.state in ("cancelled", "superseded"):
        return str(row.state)
    over = row.state == "expired" or (row.expires is not None and row.expires <= now_ms)
    return "expired" if over and not cancels else "live"
