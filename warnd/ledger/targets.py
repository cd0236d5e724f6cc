"""The regions a message must reach, made from the roots that its area names, and what villages among them have to offer."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.directory import VISIBLE, find_jurisdiction
from warnd.model.region import Jurisdiction, path_codes, subtree


def expand(
    conn: Connection, *, message: Row[Any], cursor: dict[str, Any], jurisdiction: tuple[str, ...], limit: int
) -> tuple[dict[str, Any], list[str]]:
    """Make the next `limit` target rows in order of path; return the cursor, empty at the end, and the codes made."""
    root = conn.execute(
        text(
            "SELECT r.path FROM target_root t JOIN region r ON r.code = t.code "
            "WHERE t.message_no = :no AND t.outside = 0 AND r.path >= :root ORDER BY r.path LIMIT 1"
        ),
        {"no": message.no, "root": cursor.get("root", "")},
    ).scalar()
    if root is None:
        return {}, []
    low, high = subtree(root)
    after = cursor.get("after", "")
    if not after:
        _insert_ancestors(conn, message, root, find_jurisdiction(conn, codes=jurisdiction))
    rows = _insert(conn, message, low=max(low, after + " "), high=high, limit=limit)
    _count_villages(conn, message.no, rows)
    made = [row.code for row in rows]
    if len(rows) == limit:
        return {"root": root, "after": rows[-1].path}, made
    return {"root": high, "after": ""}, made


def _insert(conn: Connection, message: Row[Any], *, low: str, high: str, limit: int) -> list[Row[Any]]:
    rows = conn.execute(
        text(
            "INSERT INTO target (message_no, code, path, tier, ancestor, has_terminal, has_officer) "
            "SELECT :no, g.code, g.path, g.tier, 0, "
            "CASE WHEN g.tier = 'village' THEN CASE WHEN EXISTS (SELECT 1 FROM recipient_version v "
            f"WHERE v.region = g.code AND v.kind = 'terminal' AND {VISIBLE}) THEN 1 ELSE 0 END END, "
            "CASE WHEN g.tier = 'village' THEN CASE WHEN EXISTS (SELECT 1 FROM seat s JOIN recipient_version v ON v.no = s.version_no "
            f"WHERE s.region = g.code AND s.role = 'information_officer' AND {VISIBLE} "
            "AND (v.phone IS NOT NULL OR v.email IS NOT NULL OR v.apprise IS NOT NULL)) THEN 1 ELSE 0 END END "
            "FROM region g WHERE g.path >= :low AND g.path < :high AND g.from_rev <= :rev ORDER BY g.path LIMIT :limit "
            "ON CONFLICT (message_no, code) DO UPDATE SET ancestor = 0, has_terminal = excluded.has_terminal, "
            "has_officer = excluded.has_officer RETURNING code, path, tier"
        ),
        {"no": message.no, "rev": message.directory_rev, "low": low, "high": high, "limit": limit},
    )
    return sorted(rows, key=lambda row: row.path)


def _insert_ancestors(conn: Connection, message: Row[Any], root: str, jurisdiction: Jurisdiction) -> None:
    above = path_codes(root)[:-1]
    if not above:
        return
    names = {f"c{n}": code for n, code in enumerate(above)}
    found = conn.execute(
        text(
            f"SELECT code, path, tier FROM region WHERE code IN ({', '.join(':' + name for name in names)}) ORDER BY path"
        ),
        names,
    )
    rows = [
        {"no": message.no, "code": row.code, "path": row.path, "tier": row.tier}
        for row in found
        if jurisdiction.covers(row.path)
    ]
    if rows:
        conn.execute(
            text(
                "INSERT INTO target (message_no, code, path, tier, ancestor) VALUES (:no, :code, :path, :tier, 1) "
                "ON CONFLICT (message_no, code) DO NOTHING"
            ),
            rows,
        )


def _count_villages(conn: Connection, message_no: int, rows: Iterable[Row[Any]]) -> None:
    villages: Counter[str] = Counter()
    for row in rows:
        if row.tier == "village":
            villages.update(["", *path_codes(row.path)])
    if villages:
        conn.execute(
            text(
                "INSERT INTO village_tally (message_no, region, targeted, confirmed, late) VALUES (:no, :region, :n, 0, 0) "
                "ON CONFLICT (message_no, region) DO UPDATE SET targeted = village_tally.targeted + excluded.targeted"
            ),
            [{"no": message_no, "region": code, "n": n} for code, n in villages.items()],
        )
