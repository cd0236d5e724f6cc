"""Messages: what deliveries are made for. Opening one starts the planner on it; closing one withdraws it with a single row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.values import dumps, many
from warnd.model.plan import Plan

FIRST_STAGE = "publications"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be opened. Times in milliseconds since 1970 UTC.

    Attributes:
        urgency: 0 cancel, 1–4 level, 5–8 the same in drills; lower is served first.
        roots: (region code, how, outside) as the area names them.
        recipients: Numbers of recipients whose own point lies in the area.
        public: Households and the public site may hear of it.
    """

    id: str
    kind: str
    chain_id: str
    seq: int
    drill: bool
    urgency: int
    plan: Plan
    directory_rev: int
    expires_at: int
    roots: Sequence[tuple[str, str, bool]]
    recipients: Sequence[int]
    public: bool


def open_message(conn: Connection, new: NewMessage, *, stamp: Stamp) -> int:
    """Store a message with its roots and a planning cursor at the start; return its number."""
    within = new.plan.village.within_s
    no: int = conn.execute(
        text(
            "INSERT INTO message (id, kind, drill, urgency, plan, directory_rev, stage, cursor, released_at, expires_at, chain_id, seq, "
            "terminal_rule, bare_rule, village_due_by, public) VALUES (:id, :kind, :drill, :urgency, :plan, :rev, :stage, '{}', :now, "
            ":expires_at, :chain_id, :seq, :terminal_rule, :bare_rule, :village_due_by, :public) RETURNING no"
        ),
        {
            "id": new.id,
            "kind": new.kind,
            "drill": int(new.drill),
            "urgency": new.urgency,
            "plan": dumps(new.plan.to_dict()),
            "rev": new.directory_rev,
            "stage": FIRST_STAGE,
            "now": stamp.now_ms,
            "expires_at": new.expires_at,
            "chain_id": new.chain_id,
            "seq": new.seq,
            "terminal_rule": new.plan.village.terminal,
            "bare_rule": new.plan.village.bare,
            "village_due_by": None if within is None else stamp.now_ms + within * 1000,
            "public": int(new.public),
        },
    ).scalar_one()
    _store_targets(conn, no, new)
    told = {"plan": new.plan.name, "directory_rev": new.directory_rev, "roots": [list(root) for root in new.roots]}
    events.append(conn, stamp=stamp, kind="message.opened", message_id=new.id, data=told)
    return no


def _store_targets(conn: Connection, no: int, new: NewMessage) -> None:
    if new.roots:
        conn.execute(
            text("INSERT INTO target_root (message_no, code, how, outside) VALUES (:no, :code, :how, :outside)"),
            [{"no": no, "code": code, "how": how, "outside": int(outside)} for code, how, outside in new.roots],
        )
    if new.recipients:
        conn.execute(
            text("INSERT INTO target_recipient (message_no, recipient_no) VALUES (:no, :recipient_no)"),
            [{"no": no, "recipient_no": recipient_no} for recipient_no in new.recipients],
        )


def close(conn: Connection, *, message_id: str, closed_as: str, stamp: Stamp) -> bool:
    """Close an open message: from this commit no try of it is claimed, and its open deliveries count as `closed_as`.

    `closed_as` is "expired" or "withdrawn". Returns False if it was closed before, or never opened.
    """
    row = conn.execute(
        text(
            "UPDATE message SET closed_as = :closed_as, closed_at = :now WHERE id = :id AND closed_as IS NULL RETURNING no"
        ),
        {"id": message_id, "closed_as": closed_as, "now": stamp.now_ms},
    ).one_or_none()
    if row is None:
        return False
    conn.execute(
        text("UPDATE reply_digit SET closed_at = :now WHERE message_no = :no AND closed_at IS NULL"),
        {"no": row.no, "now": stamp.now_ms},
    )
    events.append(conn, stamp=stamp, kind="message.closed", message_id=message_id, data={"as": closed_as})
    return True


def all_open(conn: Connection, *, nos: Collection[int]) -> bool:
    """Say whether none of these messages is closed."""
    statement = many("SELECT count(*) FROM message WHERE no IN :nos AND closed_as IS NOT NULL", "nos")
    return bool(conn.execute(statement, {"nos": sorted(nos)}).scalar_one() == 0)


def find(conn: Connection, *, no: int) -> Row[Any]:
    """Return a message's row by its number."""
    return conn.execute(text("SELECT * FROM message WHERE no = :no"), {"no": no}).one()


def number(conn: Connection, *, message_id: str) -> int:
    """Return a message's number by its id."""
    no: int = conn.execute(text("SELECT no FROM message WHERE id = :id"), {"id": message_id}).scalar_one()
    return no


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that texts about a message are made of.

    Attributes:
        about: The document of the newest version that it cancels, for a Cancel; None if nothing of that is known.
        about_level: That version's level.
        places: Names of the regions named by its area: (name, JSON of names by language).
    """

    message: Row[Any]
    warning: Row[Any]
    about: bytes | None
    about_level: int | None
    places: tuple[tuple[str, str], ...]


def story(conn: Connection, *, no: int) -> Story:
    """Read what is needed to say a message in words."""
    message = find(conn, no=no)
    warning = conn.execute(text("SELECT * FROM warning WHERE id = :id"), {"id": message.id}).one()
    before = conn.execute(
        text(
            "SELECT document, level FROM warning WHERE chain_id = :chain AND seq < :seq AND msg_type <> 'Cancel' "
            "AND state NOT IN ('quarantined', 'rejected') ORDER BY seq DESC LIMIT 1"
        ),
        {"chain": message.chain_id, "seq": message.seq},
    ).one_or_none()
    places = conn.execute(
        text(
            "SELECT g.name, g.names FROM target_root t JOIN region g ON g.code = t.code WHERE t.message_no = :no AND t.outside = 0 "
            "ORDER BY g.path LIMIT 12"
        ),
        {"no": no},
    )
    cancelled = before if message.kind == "cancel" else None
    return Story(
        message=message,
        warning=warning,
        about=cancelled.document if cancelled else None,
        about_level=cancelled.level if cancelled else None,
        places=tuple((row.name, row.names) for row in places),
    )


def open_ones(conn: Connection) -> list[Row[Any]]:
    """Return the messages that are not closed, most urgent first."""
    return list(conn.execute(text("SELECT * FROM message WHERE closed_as IS NULL ORDER BY urgency, no")))


def of_chain(conn: Connection, *, chain_id: str) -> list[Row[Any]]:
    """Return every message of a chain, oldest first, closed ones too."""
    return list(conn.execute(text("SELECT * FROM message WHERE chain_id = :chain ORDER BY seq"), {"chain": chain_id}))


def roots_of_chain(conn: Connection, *, chain_id: str) -> set[str]:
    """Return the codes of the regions that any message of a chain targeted here."""
    rows = conn.execute(
        text(
            "SELECT DISTINCT t.code FROM message m JOIN target_root t ON t.message_no = m.no "
            "WHERE m.chain_id = :chain AND t.outside = 0"
        ),
        {"chain": chain_id},
    )
    return set(rows.scalars())


def drills_by_chain(conn: Connection) -> dict[str, list[str]]:
    """Return the chains of drills that are under way, each with the paths of the regions that it targets."""
    rows = conn.execute(
        text(
            "SELECT m.chain_id, r.path FROM message m JOIN target_root t ON t.message_no = m.no JOIN region r ON r.code = t.code "
            "WHERE m.closed_as IS NULL AND m.drill = 1 AND m.kind = 'warning' AND t.outside = 0 ORDER BY m.no, r.path"
        )
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.chain_id, []).append(row.path)
    return found


def any_open(conn: Connection) -> bool:
    """Say whether any message is open."""
    return bool(conn.execute(text("SELECT EXISTS (SELECT 1 FROM message WHERE closed_as IS NULL)")).scalar())


def next_to_plan(conn: Connection) -> Row[Any] | None:
    """Return the most urgent open message whose planning is not finished."""
    return conn.execute(
        text("SELECT * FROM message WHERE closed_as IS NULL AND stage <> 'planned' ORDER BY urgency, no LIMIT 1")
    ).one_or_none()


def advance(conn: Connection, *, no: int, stage: str, cursor: dict[str, Any]) -> None:
    """Keep how far planning has come; committed with what the chunk made, so that a crash repeats nothing."""
    conn.execute(
        text("UPDATE message SET stage = :stage, cursor = :cursor WHERE no = :no"),
        {"no": no, "stage": stage, "cursor": dumps(cursor)},
    )


def planned(conn: Connection, *, no: int, stamp: Stamp) -> None:
    """Mark the end of planning."""
    row = conn.execute(
        text("UPDATE message SET stage = 'planned', cursor = '{}', planned_at = :now WHERE no = :no RETURNING id"),
        {"no": no, "now": stamp.now_ms},
    ).one()
    totals = conn.execute(
        text("SELECT coalesce(sum(n), 0) FROM counter WHERE message_no = :no AND region = ''"), {"no": no}
    ).scalar_one()
    events.append(conn, stamp=stamp, kind="message.planned", message_id=row.id, data={"deliveries": totals})
