"""Chains that a message of another chain took over: an Update may refer to several (CAP 1.2 §3.2.1).

The taken-over chain keeps its topics, so it gets a Cancel of its own that silences its loudspeakers; people are told by whoever took
it over.
"""

from typing import Any

from sqlalchemy import Connection, Row, text

_HEIR = text(
    "SELECT m.chain_id, s.message_no FROM succession s JOIN message m ON m.no = s.message_no WHERE s.chain_id = :chain"
)
_TAKEN = text(
    "SELECT s.chain_id FROM succession s JOIN message m ON m.no = s.message_no WHERE m.chain_id = :chain AND m.seq <= :seq "
    "ORDER BY s.chain_id"
)
_BEFORE = text("SELECT no, chain_id FROM message WHERE chain_id = :chain AND seq < :seq ORDER BY seq")


def take_over(conn: Connection, *, chain_id: str, message_no: int) -> None:
    """Note that a chain has gone over into that of a message; the first to take it has it."""
    conn.execute(
        text("INSERT INTO succession (chain_id, message_no) VALUES (:chain, :no) ON CONFLICT (chain_id) DO NOTHING"),
        {"chain": chain_id, "no": message_no},
    )


def heir(conn: Connection, chain_id: str) -> str:
    """Return the chain that speaks for this one now: itself, unless it was taken over."""
    found, seen = chain_id, {chain_id}
    while (row := conn.execute(_HEIR, {"chain": found}).one_or_none()) is not None and row.chain_id not in seen:
        found = row.chain_id
        seen.add(found)
    return found


def taken_over(conn: Connection, chain_id: str) -> bool:
    """Say whether another chain tells this one's people."""
    return conn.execute(_HEIR, {"chain": chain_id}).one_or_none() is not None


def before(conn: Connection, message: Row[Any]) -> list[Row[Any]]:
    """Return (no, chain_id) of the messages that this one ends or replaces, in a fixed order: its own chain's, then of those taken over.

    Where another chain has taken this one over, those that this one had taken over are its heir's, too: it alone tells their people.
    """
    found = list(conn.execute(_BEFORE, {"chain": message.chain_id, "seq": message.seq}))
    if taken_over(conn, message.chain_id):
        return found
    taken = list(conn.execute(_TAKEN, {"chain": message.chain_id, "seq": message.seq}).scalars())
    seen = {message.chain_id}
    while taken:
        chain_id = taken.pop(0)
        if chain_id not in seen:
            seen.add(chain_id)
            whole = {"chain": chain_id, "seq": 1 << 30}
            found += conn.execute(_BEFORE, whole)
            taken += conn.execute(_TAKEN, whole).scalars()
    return found
