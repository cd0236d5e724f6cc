"""The record of what happened: append-only, chained by hash for each writer, without personal data in the clear."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.values import dumps, many

_START = "0" * 64
_NEWEST = text("SELECT seq, hash FROM event WHERE writer = :writer ORDER BY seq DESC LIMIT 1")
_APPEND = text(
    "INSERT INTO event (writer, seq, at, kind, message_id, data, prev, hash) "
    "VALUES (:writer, :seq, :at, :kind, :message_id, :data, :prev, :hash)"
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a transaction acts, and which process start acts in it.

    Attributes:
        now_ms: Milliseconds since 1970 UTC.
        writer: Fresh for every process start; owns leases and one event chain.
    """

    now_ms: int
    writer: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where an event chain fails to verify."""

    no: int
    writer: str
    seq: int
    cause: str


def append(conn: Connection, *, stamp: Stamp, kind: str, message_id: str | None, data: Mapping[str, Any]) -> None:
    """Add one event to the writer's chain."""
    append_all(conn, [(kind, message_id, data)], stamp=stamp)


def append_all(
    conn: Connection, happened: Iterable[tuple[str, str | None, Mapping[str, Any]]], *, stamp: Stamp
) -> None:
    """Add events to the writer's chain in this order; each is (kind, message id, data)."""
    last = conn.execute(_NEWEST, {"writer": stamp.writer}).one_or_none()
    seq, prev = (last.seq, last.hash) if last else (0, _START)
    rows: list[dict[str, Any]] = []
    for kind, message_id, data in happened:
        seq += 1
        row = {
            "writer": stamp.writer,
            "seq": seq,
            "at": stamp.now_ms,
            "kind": kind,
            "message_id": message_id,
            "data": dumps(data),
            "prev": prev,
        }
        prev = _digest(row)
        rows.append({**row, "hash": prev})
    if rows:
        conn.execute(_APPEND, rows)


def last(conn: Connection) -> int:
    """Return the number of the newest event; 0 if there is none."""
    no: int | None = conn.execute(text("SELECT max(no) FROM event")).scalar()
    return no or 0


def since(conn: Connection, *, after: int, limit: int, without: Iterable[str] = ()) -> tuple[list[Row[Any]], int]:
    """Return up to `limit` events after a number, of all writers, in the order in which they were committed, and how far that reaches.

    Kinds `without` which one can do are passed over unread: one line of a busy minute tells of hundreds of tries.
    """
    rows = list(
        conn.execute(
            many(
                "SELECT no, writer, kind, message_id, data FROM event WHERE no > :after AND kind NOT IN :without ORDER BY no LIMIT :limit",
                "without",
                of=str,
            ),
            {"after": after, "limit": limit, "without": sorted(without)},
        )
    )
    return rows, rows[-1].no if len(rows) == limit else max(after, last(conn))


@dataclass(frozen=True, slots=True)
class Place:
    """How far verifying has come: the last event that was looked at, and what the next one must follow."""

    writer: str
    seq: int
    hash: str


BEGINNING = Place("", 0, _START)


@dataclass(frozen=True, slots=True)
class Page:
    """What one look at a part of the record showed; `next` is where to go on, None = this was the end."""

    breaks: tuple[Break, ...]
    next: Place | None


def verify(conn: Connection) -> Iterator[Break]:
    """Yield every place where a chain does not hold; nothing if the record is whole."""
    at: Place | None = BEGINNING
    while at is not None:
        page = verify_page(conn, after=at, limit=1_000)
        yield from page.breaks
        at = page.next


def verify_page(conn: Connection, *, after: Place, limit: int) -> Page:
    """Verify up to `limit` events behind a place, chain by chain; a long record is looked at in many short reads."""
    rows = conn.execute(
        text(
            "SELECT no, writer, seq, at, kind, message_id, data, prev, hash FROM event "
            "WHERE writer > :writer OR (writer = :writer AND seq > :seq) ORDER BY writer, seq LIMIT :limit"
        ),
        {"writer": after.writer, "seq": after.seq, "limit": limit},
    ).all()
    found: list[Break] = []
    at = after
    for row in rows:
        before = at if row.writer == at.writer else Place(row.writer, 0, _START)
        found += _breaks(row, before)
        at = Place(row.writer, row.seq, row.hash)
    return Page(tuple(found), at if len(rows) == limit else None)


def _breaks(row: Row[Any], before: Place) -> Iterator[Break]:
    if row.seq != before.seq + 1:
        yield Break(row.no, row.writer, row.seq, f"event {before.seq + 1} is missing before it")
    elif row.prev != before.hash:
        yield Break(row.no, row.writer, row.seq, "it does not follow the event before it")
    content = {key: getattr(row, key) for key in ("writer", "seq", "at", "kind", "message_id", "data", "prev")}
    if row.hash != _digest(content):
        yield Break(row.no, row.writer, row.seq, "its content was changed")


def _digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps(row).encode()).hexdigest()
