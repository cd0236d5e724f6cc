"""What the store knows of itself: its random mark, which makes our attempt ids unlike any other store's."""

from sqlalchemy import Connection, text


def tag(conn: Connection, *, fresh: str) -> str:
    """Return the store's mark; on the first call it becomes `fresh`."""
    return _once(conn, "tag", fresh)


def answer_key(conn: Connection, *, fresh: bytes) -> bytes:
    """Return the secret that answer links are made with; on the first call it becomes `fresh`. It never leaves the store."""
    return bytes.fromhex(_once(conn, "answer_key", fresh.hex()))


def _once(conn: Connection, key: str, fresh: str) -> str:
    conn.execute(
        text("INSERT INTO meta (key, value) VALUES (:key, :fresh) ON CONFLICT (key) DO NOTHING"),
        {"key": key, "fresh": fresh},
    )
    value: str = conn.execute(text("SELECT value FROM meta WHERE key = :key"), {"key": key}).scalar_one()
    return value


def attempt_id(tag_: str, leg_no: int, number: int) -> str:
    """Return the public id of one attempt: unique for ever, safe as a file name."""
    return f"{tag_}-{leg_no}-{number}"


def parse_attempt_id(tag_: str, attempt: str) -> tuple[int, int] | None:
    """Return (leg number, attempt number) if the id is of this store, else None."""
    mark, _, rest = attempt.partition("-")
    leg, _, number = rest.partition("-")
    digits = leg.isascii() and leg.isdigit() and number.isascii() and number.isdigit()
    if mark != tag_ or not digits or len(leg) > 18 or len(number) > 4:  # noqa: PLR2004 - beyond what the columns hold
        return None
    return int(leg), int(number)
