"""What went out and what came of it by channel, counted in the transaction that changes it: nobody scans a million legs to know.

A leg counts once, at the strongest that came by its channel; channels stand side by side and are never added up.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection, text

from warnd.ledger.each import execute_each
from warnd.ledger.values import many
from warnd.model.documents import ChannelCounts
from warnd.model.evidence import Evidence

SEGMENTS = "segments"
Deltas = Counter[tuple[int, str, str]]
"""(message number, channel, what) -> how many more."""


class Standing(NamedTuple):
    """A leg of a delivery and what came by its channel so far."""

    no: int
    message_no: int
    channel: str
    evidence: int


_STANDINGS = many(
    "SELECT no, message_no, channel, evidence FROM leg WHERE no IN :nos AND delivery_no IS NOT NULL ORDER BY no", "nos"
)
_ADD = text(
    "INSERT INTO channel_tally (message_no, channel, what, n) VALUES (:message_no, :channel, :what, :n) "
    "ON CONFLICT (message_no, channel, what) DO UPDATE SET n = channel_tally.n + excluded.n"
)


def add(conn: Connection, deltas: Deltas) -> None:
    """Change the counts."""
    rows = [
        {"message_no": message_no, "channel": channel, "what": what, "n": n}
        for (message_no, channel, what), n in sorted(deltas.items())
        if n
    ]
    if rows:
        conn.execute(_ADD, rows)


def raise_legs(
    conn: Connection, proofs: Mapping[int, Evidence], known: Mapping[int, Standing] = MappingProxyType({})
) -> None:
    """Raise legs of deliveries (leg number -> what came by its channel) to at least that; whatever is not higher changes nothing.

    Those that are not `known` are looked at.
    """
    unknown = sorted(proofs.keys() - known.keys())
    looked_at = (Standing(*row) for row in conn.execute(_STANDINGS, {"nos": unknown})) if unknown else ()
    found = [*(known[no] for no in sorted(proofs.keys() & known.keys())), *looked_at]
    risen = [row for row in found if proofs[row.no] > row.evidence]
    if not risen:
        return
    execute_each(
        conn,
        "UPDATE leg SET evidence = :evidence WHERE no = :no",
        [{"no": row.no, "evidence": int(proofs[row.no])} for row in risen],
    )
    deltas: Deltas = Counter()
    for row in risen:
        if row.evidence:
            deltas[row.message_no, row.channel, Evidence(row.evidence).word] -= 1
        deltas[row.message_no, row.channel, proofs[row.no].word] += 1
    add(conn, deltas)


def raise_deliveries(conn: Connection, proofs: Mapping[int, Evidence], *, channel: str) -> None:
    """Raise the legs by which deliveries (delivery number -> what came) are made on one channel."""
    if not proofs:
        return
    statement = many("SELECT no, delivery_no FROM leg WHERE delivery_no IN :nos AND channel = :channel", "nos")
    rows = conn.execute(statement, {"nos": sorted(proofs), "channel": channel})
    raise_legs(conn, {row.no: proofs[row.delivery_no] for row in rows})


def add_planned(conn: Connection, *, message_no: int, after: int) -> None:
    """Count what topics had already brought to terminals whose deliveries, numbered above `after`, were just planned."""
    rows = conn.execute(
        text(
            "SELECT l.no, d.evidence FROM delivery d JOIN leg l ON l.delivery_no = d.no AND l.channel = 'mqtt' "
            "WHERE d.no > :after AND +d.message_no = :no AND d.evidence > 0"
        ),
        {"after": after, "no": message_no},
    )
    raise_legs(conn, {row.no: Evidence(row.evidence) for row in rows})


def segments(conn: Connection, message_nos: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return message number -> channel -> parts that gateways took; a mail counts as one."""
    found: dict[int, dict[str, int]] = {}
    for row in _counts(conn, message_nos):
        if row[2] == SEGMENTS:
            found.setdefault(row[0], {})[row[1]] = row[3]
    return found


def evidence(conn: Connection, message_nos: Sequence[int]) -> dict[int, dict[str, ChannelCounts]]:
    """Return message number -> channel -> its legs by their exact strongest evidence."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    for message_no, channel, what, n in _counts(conn, message_nos):
        if what != SEGMENTS:
            found.setdefault(message_no, {}).setdefault(channel, {})[what] = n
    return {no: {name: ChannelCounts(**counts) for name, counts in each.items()} for no, each in found.items()}


def _counts(conn: Connection, message_nos: Sequence[int]) -> list[tuple[int, str, str, int]]:
    rows = conn.execute(
        many(
            "SELECT message_no, channel, what, n FROM channel_tally WHERE message_no IN :nos AND n <> 0 "
            "ORDER BY message_no, channel, what",
            "nos",
        ),
        {"nos": list(message_nos)},
    )
    return [(row.message_no, row.channel, row.what, row.n) for row in rows]
