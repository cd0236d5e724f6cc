"""Whoever turns out to have heard a version that was already cancelled or replaced: they are told of that, too."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import carrying, succession
from warnd.ledger.values import many
from warnd.model.plan import Plan


def tell(conn: Connection, delivery_nos: Iterable[int]) -> None:
    """Add the recipients of these deliveries of withdrawn messages to what withdrew them, if that is open and has not told them.

    While it is still being planned, planning itself will find them.
    """
    for row in _late(conn, sorted(set(delivery_nos))):
        newest = _newest(conn, row)
        if newest is not None:
            carrying.carry_range(
                conn,
                message=newest,
                plan=Plan.from_dict(json.loads(newest.plan)),
                old_no=row.message_no,
                after=row.no - 1,
                upto=row.no,
                channels=_channels(conn, row.no) | {"mqtt"},  # A terminal that heard by a topic had no leg.
                whom=carrying.Whom.EVERYBODY,
            )


def _newest(conn: Connection, row: Row[Any]) -> Row[Any] | None:
    """Return the open message that tells this recipient of the end: of a chain that was taken over, people hear from its heir."""
    chain, after = row.chain_id, row.seq
    heir = chain if row.kind == "terminal" else succession.heir(conn, chain)
    if heir != chain:
        chain, after = heir, 0
    return conn.execute(
        text(
            "SELECT * FROM message WHERE chain_id = :chain AND seq > :seq AND closed_as IS NULL "
            "AND stage IN ('carry', 'subscribers', 'planned') ORDER BY seq DESC LIMIT 1"
        ),
        {"chain": chain, "seq": after},
    ).one_or_none()


def _late(conn: Connection, nos: list[int]) -> list[Row[Any]]:
    statement = many(
        "SELECT d.no, d.message_no, d.recipient_no, m.chain_id, m.seq, v.kind FROM delivery d JOIN message m ON m.no = d.message_no "
        "JOIN recipient_version v ON v.no = d.version_no "
        "WHERE d.no IN :nos AND m.closed_as = 'withdrawn' AND d.evidence > 0 ORDER BY d.no",
        "nos",
    )
    return list(conn.execute(statement, {"nos": nos})) if nos else []


def _channels(conn: Connection, delivery_no: int) -> frozenset[str]:
    rows = conn.execute(text("SELECT DISTINCT channel FROM leg WHERE delivery_no = :no"), {"no": delivery_no})
    return frozenset(rows.scalars())
