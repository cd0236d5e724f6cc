"""Warnings as they are kept: stored whole, moved only along the table of legal moves, each move an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, text, tuple_

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.schema import warning
from warnd.ledger.values import dumps

LIVE_STATES = ("dispatching", "completed")
_PAGE = 500  # Keys asked for at once.


class IllegalMove(Exception):  # noqa: N818 - named for what happened
    """The warning is not in the state that the move starts from."""


@dataclass(frozen=True, slots=True)
class NewWarning:
    """A warning about to be stored. Times in milliseconds since 1970 UTC."""

    id: str
    chain_id: str
    seq: int
    sender: str
    identifier: str
    sent: int
    status: str
    msg_type: str
    scope: str
    level: int | None
    event: str
    headline: str
    expires: int | None
    refs: Sequence[tuple[str, str, str]]
    cancel_kind: str | None
    state: str
    reasons: Sequence[Mapping[str, str]]
    content_hash: str
    document: bytes
    source: str


def insert(conn: Connection, new: NewWarning, *, stamp: Stamp) -> int:
    """Store a warning with its references and the event of its arrival; return its number."""
    columns = {name: getattr(new, name) for name in NewWarning.__slots__}
    columns |= {"refs": dumps([list(ref) for ref in new.refs]), "reasons": dumps(list(new.reasons)), "approvals": "[]"}
    columns |= {"received_at": stamp.now_ms, "released_at": None, "ended_at": None}
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    no: int = conn.execute(
        text(f"INSERT INTO warning ({names}) VALUES ({values}) RETURNING no"),
        columns,
    ).scalar_one()
    refs = {(sender, identifier) for sender, identifier, _ in new.refs}
    if refs:
        conn.execute(
            text("INSERT INTO reference (warning_no, sender, identifier) VALUES (:no, :sender, :identifier)"),
            [{"no": no, "sender": sender, "identifier": identifier} for sender, identifier in sorted(refs)],
        )
    told = {
        "sender": new.sender,
        "identifier": new.identifier,
        "state": new.state,
        "content": new.content_hash,
        "source": new.source,
    }
    events.append(conn, stamp=stamp, kind="warning.received", message_id=new.id, data=told)
    return no


def by_id(conn: Connection, *, warning_id: str) -> Row[Any] | None:
    """Return the whole row of a warning, or None."""
    return conn.execute(text("SELECT * FROM warning WHERE id = :id"), {"id": warning_id}).one_or_none()


def by_key(conn: Connection, *, sender: str, identifier: str) -> Row[Any] | None:
    """Return the warning with this CAP key, quarantined copies aside."""
    return conn.execute(
        text("SELECT * FROM warning WHERE sender = :sender AND identifier = :identifier AND state <> 'quarantined'"),
        {"sender": sender, "identifier": identifier},
    ).one_or_none()


def quarantined(conn: Connection, *, sender: str, identifier: str) -> list[Row[Any]]:
    """Return the copies under this CAP key whose content differs from the known one's."""
    rows = conn.execute(
        text(
            "SELECT * FROM warning WHERE sender = :sender AND identifier = :identifier AND state = 'quarantined' ORDER BY no"
        ),
        {"sender": sender, "identifier": identifier},
    )
    return list(rows)


def referenced(conn: Connection, *, keys: Sequence[tuple[str, str]]) -> list[Row[Any]]:
    """Return the known warnings among these CAP keys, oldest first; quarantined copies aside."""
    distinct = list(dict.fromkeys(keys))
    found: list[Row[Any]] = []
    for start in range(0, len(distinct), _PAGE):
        page = tuple_(warning.c.sender, warning.c.identifier).in_(distinct[start : start + _PAGE])
        found += conn.execute(select(warning).where(page, warning.c.state != "quarantined"))
    return sorted(found, key=lambda row: row.no)


def chain(conn: Connection, *, chain_id: str) -> list[Row[Any]]:
    """Return every warning of a chain in order of its place; quarantined copies aside."""
    rows = conn.execute(
        text("SELECT * FROM warning WHERE chain_id = :chain_id AND state <> 'quarantined' ORDER BY seq, no"),
        {"chain_id": chain_id},
    )
    return list(rows)


def referring(conn: Connection, *, sender: str, identifier: str) -> list[Row[Any]]:
    """Return the warnings that refer to this key, oldest first: what came before the message that it is about."""
    rows = conn.execute(
        text(
            "SELECT w.* FROM reference r JOIN warning w ON w.no = r.warning_no "
            "WHERE r.sender = :sender AND r.identifier = :identifier AND w.state NOT IN ('quarantined', 'rejected') ORDER BY w.no"
        ),
        {"sender": sender, "identifier": identifier},
    )
    return list(rows)


def move(
    conn: Connection,
    *,
    warning_id: str,
    old: str,
    new: str,
    stamp: Stamp,
    by: str,
    because: str | None = None,
) -> None:
    """Move a warning from one state to the next and write the event.

    Raises:
        IllegalMove: It is not (or no longer) in state `old`.
    """
    ended = stamp.now_ms if new not in {"held", "in_review", *LIVE_STATES} else None
    moved = conn.execute(
        text(
            "UPDATE warning SET state = :new, ended_at = coalesce(:ended, ended_at), "
            "released_at = CASE WHEN :new = 'dispatching' THEN coalesce(released_at, :now) ELSE released_at END "
            "WHERE id = :id AND state = :old"
        ),
        {"id": warning_id, "old": old, "new": new, "ended": ended, "now": stamp.now_ms},
    )
    if moved.rowcount != 1:
        raise IllegalMove(f"{warning_id} is not {old}")
    events.append(
        conn,
        stamp=stamp,
        kind="warning.moved",
        message_id=warning_id,
        data={"old": old, "new": new, "by": by, "because": because},
    )


def place(conn: Connection, *, warning_id: str, chain_id: str, seq: int) -> None:
    """Give a warning that has not gone out yet another place in a chain."""
    conn.execute(
        text("UPDATE warning SET chain_id = :chain_id, seq = :seq WHERE id = :id AND released_at IS NULL"),
        {"id": warning_id, "chain_id": chain_id, "seq": seq},
    )


def approve(conn: Connection, *, warning_id: str, approvals: Sequence[Mapping[str, str]]) -> None:
    """Keep who approved what and when."""
    conn.execute(
        text("UPDATE warning SET approvals = :approvals WHERE id = :id"),
        {"id": warning_id, "approvals": dumps(list(approvals))},
    )


def reread(conn: Connection, *, warning_id: str, reasons: Sequence[Mapping[str, str]], level: int | None) -> None:
    """Keep the reasons and level of a warning that was read again before its approval."""
    conn.execute(
        text("UPDATE warning SET reasons = :reasons, level = coalesce(:level, level) WHERE id = :id"),
        {"id": warning_id, "reasons": dumps(list(reasons)), "level": level},
    )
