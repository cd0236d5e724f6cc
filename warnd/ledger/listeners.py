"""Where loudspeakers may have heard a message by a topic, whether or not they were planned for it: a topic is quicker than planning."""

from typing import Any

from sqlalchemy import Connection, text

from warnd.model.region import subtree


def next_regions(
    conn: Connection, *, old_no: int, cursor: dict[str, Any], limit: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the cursor that comes next, empty at the end, and the codes of up to `limit` regions under topics that may have gone out.

    Only topics on which everybody plays count: whoever a version plays to reads one of those.
    """
    codes: list[str] = []
    topic, below = cursor["topics"], cursor["below"]
    for path in _topics(conn, old_no=old_no, since=topic):
        low, high = subtree(path)
        start = below if path == topic and below else low
        rows = conn.execute(
            text("SELECT code, path FROM region WHERE path >= :low AND path < :high ORDER BY path LIMIT :limit"),
            {"low": start, "high": high, "limit": limit - len(codes)},
        ).all()
        codes += [row.code for row in rows]
        if len(codes) >= limit:
            return {"topics": path, "below": rows[-1].path + " "}, codes  # " " is below every character of a code.
    return {}, codes


def _topics(conn: Connection, *, old_no: int, since: str) -> list[str]:
    rows = conn.execute(
        text(
            "SELECT r.path FROM publication p JOIN leg l ON l.publication_no = p.no JOIN region r ON r.code = p.target "
            "WHERE p.message_no = :old AND p.channel = 'mqtt' AND p.regions IS NULL AND r.path >= :since "
            "AND EXISTS (SELECT 1 FROM attempt a WHERE a.leg_no = l.no AND a.state <> 'failed') ORDER BY r.path"
        ),
        {"old": old_no, "since": since},
    )
    return list(rows.scalars())
