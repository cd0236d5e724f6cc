"""A great many households, put into a county's store by two statements."""

from sqlalchemy import Connection, text

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"


def move_in(conn: Connection, *, village: str, count: int) -> None:
    """Let `count` households with a phone each live in a village from the first revision on; once in a store."""
    last = conn.execute(text("SELECT coalesce(max(no), 0) FROM recipient")).scalar_one()
    version = conn.execute(text("SELECT coalesce(max(no), 0) FROM recipient_version")).scalar_one()
    conn.execute(
        text(f"INSERT INTO recipient (no, id) {_NUMBERS} SELECT :last + i, 'crowd-' || CAST(i AS TEXT) FROM n"),
        {"count": count, "last": last},
    )
    conn.execute(
        text(
            "INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang, phone) "
            f"{_NUMBERS} SELECT :version + i, :last + i, 1, 'household', 'H', :village, 'zh', "
            "'+86' || CAST(15000000000 + i AS TEXT) FROM n"
        ),
        {"count": count, "last": last, "version": version, "village": village},
    )
