"""A great many households, put into a county's store by a few statements."""

from sqlalchemy import Connection, text


def move_in(conn: Connection, *, village: str, count: int, after: int = 0) -> None:
    """Let `count` households with a phone each live in a village from the first revision on; `after` = how many did so before."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    conn.execute(
        text(f"INSERT INTO recipient (id) {numbers} SELECT 'crowd-' || CAST(i + :after AS TEXT) FROM n"),
        {"count": count, "after": after},
    )
    conn.execute(
        text(
            "INSERT INTO recipient_version (recipient_no, from_rev, kind, name, region, lang, phone) "
            "SELECT no, 1, 'household', id, :village, 'zh', '+86' || CAST(15000000000 + no AS TEXT) FROM recipient "
            "WHERE id LIKE 'crowd-%' AND NOT EXISTS (SELECT 1 FROM recipient_version v WHERE v.recipient_no = recipient.no)"
        ),
        {"village": village},
    )
