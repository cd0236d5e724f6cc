"""Reply digits: which of 1–9 answers which message on one phone.

A digit stays with its message over all repeats until it is answered or the message ends, so that "2" always means the same thing to the
person who reads two open warnings.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from warnd.ledger.values import many

_DIGITS = range(1, 10)


def assign(conn: Connection, *, asking: Iterable[tuple[str, int]], now_ms: int) -> dict[tuple[str, int], int]:
    """Give each (address, message number) its digit: the one it has, else the free one that was used longest ago.

    An address with nine open messages gets no tenth digit: a reply that could mean two things would confirm the wrong one.
    """
    given: dict[tuple[str, int], int] = {}
    for address, message_no in dict.fromkeys(asking):
        digit = _open(conn, address, message_no) or _fresh(conn, address, message_no, now_ms)
        if digit is not None:
            given[address, message_no] = digit
    return given


def _open(conn: Connection, address: str, message_no: int) -> int | None:
    digit: int | None = conn.execute(
        text(
            "SELECT digit FROM reply_digit WHERE address = :address AND message_no = :message_no AND closed_at IS NULL"
        ),
        {"address": address, "message_no": message_no},
    ).scalar()
    return digit


def _fresh(conn: Connection, address: str, message_no: int, now_ms: int) -> int | None:
    """Open a question; one that was answered opens again when a second person on the same phone is asked, maybe by another digit."""
    rows = conn.execute(
        text(
            "SELECT digit, max(no) AS last, sum(CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END) AS open FROM reply_digit "
            "WHERE address = :address GROUP BY digit"
        ),
        {"address": address},
    )
    used = {row.digit: row for row in rows}
    free = [digit for digit in _DIGITS if digit not in used or not used[digit].open]
    if not free:
        return None
    digit = min(free, key=lambda one: (used[one].last if one in used else 0, one))
    conn.execute(
        text(
            "INSERT INTO reply_digit (address, message_no, digit, opened_at) VALUES (:address, :message_no, :digit, :now) "
            "ON CONFLICT (address, message_no) DO UPDATE SET digit = excluded.digit, closed_at = NULL"
        ),
        {"address": address, "message_no": message_no, "digit": digit, "now": now_ms},
    )
    return digit


def remember(conn: Connection, *, asked: Collection[tuple[str, int, int, str]]) -> None:
    """Keep which deliveries asked at which address: (address, message number, delivery number, channel) of each."""
    if asked:
        conn.execute(
            text(
                "INSERT INTO asked (address, message_no, delivery_no, channel) VALUES (:address, :message, :delivery, :channel) "
                "ON CONFLICT DO NOTHING"
            ),
            [
                {"address": address, "message": message_no, "delivery": delivery_no, "channel": channel}
                for address, message_no, delivery_no, channel in asked
            ],
        )


def askers(conn: Connection, *, channel: str, address: str, message_no: int) -> list[int]:
    """Return the deliveries that asked at this address: two people may share one phone, and then one answer is both's."""
    rows = conn.execute(
        text(
            "SELECT delivery_no FROM asked WHERE address = :address AND message_no = :message AND channel = :channel "
            "ORDER BY delivery_no"
        ),
        {"message": message_no, "channel": channel, "address": address},
    )
    return list(rows.scalars())


def answered(conn: Connection, delivery_nos: Iterable[int], *, now_ms: int) -> None:
    """End the questions whose every asker has answered by now, by whatever channel: a bare "received" then means another message."""
    conn.execute(
        many(
            "UPDATE reply_digit SET closed_at = :now WHERE closed_at IS NULL AND no IN (SELECT q.no FROM delivery mine "
            "JOIN leg l ON l.delivery_no = mine.no JOIN reply_digit q ON q.address = l.address AND q.message_no = mine.message_no "
            "WHERE mine.no IN :nos AND NOT EXISTS (SELECT 1 FROM asked a JOIN delivery d ON d.no = a.delivery_no "
            "WHERE a.address = q.address AND a.message_no = q.message_no AND d.evidence < 4))",
            "nos",
        ),
        {"nos": sorted(delivery_nos), "now": now_ms},
    )


def meant(conn: Connection, *, address: str, digit: int | None) -> int | None:
    """Return the message that a reply from this address means.

    A digit means its open message, else the last one that had it: a late answer is kept as what it was. No digit (a bare "received") means
    the only open message there, and nothing if there are several.
    """
    if digit is None:
        rows = conn.execute(
            text("SELECT message_no FROM reply_digit WHERE address = :address AND closed_at IS NULL"),
            {"address": address},
        ).scalars()
        found = list(rows)
        return found[0] if len(found) == 1 else None
    message_no: int | None = conn.execute(
        text(
            "SELECT message_no FROM reply_digit WHERE address = :address AND digit = :digit "
            "ORDER BY CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, no DESC LIMIT 1"
        ),
        {"address": address, "digit": digit},
    ).scalar()
    return message_no


def close(conn: Connection, *, address: str, message_no: int, now_ms: int) -> None:
    """End the question: it was answered."""
    conn.execute(
        text(
            "UPDATE reply_digit SET closed_at = :now WHERE address = :address AND message_no = :message_no AND closed_at IS NULL"
        ),
        {"address": address, "message_no": message_no, "now": now_ms},
    )
