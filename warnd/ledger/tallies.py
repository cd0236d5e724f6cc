"""What went out by channel, counted in the transaction that records it: nobody scans attempts to know what a warning cost."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from warnd.ledger.values import many

SEGMENTS = "segments"

_ADD = text(
    "INSERT INTO channel_tally (message_no, channel, what, n) VALUES (:message_no, :channel, :what, :n) "
    "ON CONFLICT (message_no, channel, what) DO UPDATE SET n = channel_tally.n + excluded.n"
)


def add(conn: Connection, deltas: Mapping[tuple[int, str, str], int]) -> None:
    """Add to the counts of (message number, channel, what)."""
    rows = [
        {"message_no": message_no, "channel": channel, "what": what, "n": n}
        for (message_no, channel, what), n in sorted(deltas.items())
        if n
    ]
    if rows:
        conn.execute(_ADD, rows)


def segments(conn: Connection, message_nos: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return message number -> channel -> parts that gateways took; a mail counts as one."""
    rows = conn.execute(
        many("SELECT message_no, channel, n FROM channel_tally WHERE what = 'segments' AND message_no IN :nos", "nos"),
        {"nos": list(message_nos)},
    )
    found: dict[int, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.message_no, Counter())[row.channel] += row.n
    return {no: dict(counts) for no, counts in found.items()}
