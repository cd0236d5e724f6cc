"""Attempts of unknown fate that a leg still waits for: those worth asking the provider about."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from warnd.ledger.values import many


def open_ones(conn: Connection, *, channels: Collection[str]) -> list[tuple[int, int, str, str]]:
    """Return (leg number, attempt number, channel, sender) of each on these channels, in the order of their repeats; for a start.

    The sender is "" where the channel has but one.
    """
    rows = conn.execute(
        many(
            "SELECT l.no, l.attempts, l.channel, a.sender FROM leg l JOIN attempt a ON a.leg_no = l.no AND a.number = l.attempts "
            "JOIN message m ON m.no = l.message_no "
            "WHERE l.state = 'waiting' AND a.state = 'unknown' AND m.closed_as IS NULL AND l.channel IN :channels ORDER BY l.due_at, l.no",
            "channels",
            of=str,
        ),
        {"channels": sorted(channels)},
    )
    return [(row.no, row.attempts, row.channel, row.sender or "") for row in rows]


def stands(conn: Connection, *, leg_no: int, number: int) -> bool:
    """Say whether nobody knows yet what became of an attempt, and its leg waits for it."""
    return bool(
        conn.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no AND a.number = l.attempts "
                "JOIN message m ON m.no = l.message_no WHERE l.no = :leg AND l.attempts = :number AND l.state = 'waiting' "
                "AND a.state = 'unknown' AND m.closed_as IS NULL)"
            ),
            {"leg": leg_no, "number": number},
        ).scalar()
    )
