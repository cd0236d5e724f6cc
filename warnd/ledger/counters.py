"""Deliveries counted by evidence and state, per region and for the whole message, in the transaction that changes them.

Pages and `status` read these and never scan deliveries.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

_ADD = text(
    "INSERT INTO counter (message_no, region, evidence, state, n) VALUES (:message_no, :region, :evidence, :state, :n) "
    "ON CONFLICT (message_no, region, evidence, state) DO UPDATE SET n = counter.n + excluded.n"
)


class Cell(NamedTuple):
    """One counted kind of delivery."""

    message_no: int
    region: str
    evidence: int
    state: str


def move(conn: Connection, moves: Iterable[tuple[Cell | None, Cell | None]]) -> None:
    """Take deliveries out of their old cells and put them into their new ones; None = it was, or is, nowhere."""
    deltas: Counter[Cell] = Counter()
    for old, new in moves:
        if old is not None:
            deltas[old] -= 1
            deltas[old._replace(region="")] -= 1
        if new is not None:
            deltas[new] += 1
            deltas[new._replace(region="")] += 1
    rows = [{**cell._asdict(), "n": n} for cell, n in deltas.items() if n]
    if rows:
        conn.execute(_ADD, rows)


def add_planned(conn: Connection, *, message_no: int, after: int) -> None:
    """Count the deliveries of a message whose number is above `after`: those that a planning chunk has just made.

    Here and wherever else a chunk's rows are named so, `+message_no` keeps SQLite from walking the whole message by its
    index instead of the few new rows at the table's end.
    """
    for region in ("region || ''", "''"):  # An expression, so that grouping does not tempt SQLite to the same walk.
        conn.execute(
            text(
                "INSERT INTO counter (message_no, region, evidence, state, n) "
                f"SELECT message_no, {region} AS place, evidence, state, count(*) FROM delivery "
                "WHERE no > :after AND +message_no = :message_no GROUP BY message_no, place, evidence, state "
                "ON CONFLICT (message_no, region, evidence, state) DO UPDATE SET n = counter.n + excluded.n"
            ),
            {"message_no": message_no, "after": after},
        )


def open_count(conn: Connection, *, message_no: int) -> int:
    """Return how many deliveries of the message are still open."""
    n: int | None = conn.execute(
        text("SELECT sum(n) FROM counter WHERE message_no = :no AND region = '' AND state = 'open'"), {"no": message_no}
    ).scalar()
    return n or 0


def recount(conn: Connection) -> dict[Cell, int]:
    """Return what a scan of the deliveries gives; for checks that the counters tell the truth."""
    rows = conn.execute(text("SELECT message_no, region, evidence, state, count(*) FROM delivery GROUP BY 1, 2, 3, 4"))
    counted: Counter[Cell] = Counter()
    for message_no, place, evidence, state, n in rows:
        counted[Cell(message_no, place, evidence, state)] += n
        counted[Cell(message_no, "", evidence, state)] += n
    return dict(counted)


def kept(conn: Connection) -> dict[Cell, int]:
    """Return the counters as they stand, without empty ones."""
    rows = conn.execute(text("SELECT message_no, region, evidence, state, n FROM counter WHERE n <> 0"))
    return {Cell(message_no, place, evidence, state): n for message_no, place, evidence, state, n in rows}
