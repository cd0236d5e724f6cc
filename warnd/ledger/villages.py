"""Villages: confirmed when the plan's rule is met by receipts that can be shown, and never unconfirmed again for that version."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.model.evidence import Evidence
from warnd.model.region import path_codes

OFFICER_ROLES = ("information_officer", "deputy_officer")

# A village's rule: with a terminal of its own, playback and answer or either of them; without one, the answer where the plan lets it do.
_RULE_MET = (
    "(CASE WHEN t.has_terminal = 1 THEN "
    "(CASE WHEN m.terminal_rule = 'both' THEN t.played_at IS NOT NULL AND t.answered_at IS NOT NULL "
    "ELSE t.played_at IS NOT NULL OR t.answered_at IS NOT NULL END) "
    "ELSE m.bare_rule = 'officer' AND t.answered_at IS NOT NULL END)"
)


def heard(conn: Connection, proofs: Sequence[tuple[int, Evidence]], *, stamp: Stamp) -> None:
    """Let villages profit from deliveries that rose: a whole playback in the village, an answer of an officer of it."""
    touched: set[tuple[int, str]] = set()
    for delivery_no, evidence in proofs:
        if evidence >= Evidence.PRESENTED:
            touched |= _played(conn, delivery_no, stamp.now_ms)
        if evidence >= Evidence.ACKNOWLEDGED:
            touched |= _answered(conn, delivery_no, stamp.now_ms)
    _confirm(conn, sorted(touched), stamp=stamp)


def _played(conn: Connection, delivery_no: int, now_ms: int) -> set[tuple[int, str]]:
    rows = conn.execute(
        text(
            "UPDATE target SET played_at = coalesce(played_at, :now), has_terminal = 1 "
            "WHERE tier = 'village' AND ancestor = 0 AND (message_no, code) IN "
            "(SELECT d.message_no, v.region FROM delivery d JOIN recipient_version v ON v.no = d.version_no "
            "WHERE d.no = :no AND v.kind = 'terminal' AND d.purpose = 'warning') RETURNING message_no, code"
        ),
        {"no": delivery_no, "now": now_ms},
    )
    return {(row.message_no, row.code) for row in rows}


def _answered(conn: Connection, delivery_no: int, now_ms: int) -> set[tuple[int, str]]:
    """One person's answer serves every officer's seat that they hold."""
    rows = conn.execute(
        text(
            "UPDATE target SET answered_at = coalesce(answered_at, :now) "
            "WHERE tier = 'village' AND ancestor = 0 AND (message_no, code) IN "
            "(SELECT d.message_no, s.region FROM delivery d JOIN seat s ON s.version_no = d.version_no "
            "AND s.role IN ('information_officer', 'deputy_officer') "
            "WHERE d.no = :no AND d.purpose = 'warning') RETURNING message_no, code"
        ),
        {"no": delivery_no, "now": now_ms},
    )
    return {(row.message_no, row.code) for row in rows}


def catch_up(conn: Connection, *, message_no: int, codes: Iterable[str], stamp: Stamp) -> None:
    """Give villages that were just targeted the playbacks that arrived before them: loudspeakers may be faster than planning."""
    early = conn.execute(
        text(
            "SELECT d.no, d.region FROM delivery d JOIN recipient_version v ON v.no = d.version_no AND v.kind = 'terminal' "
            "WHERE d.message_no = :no AND d.evidence >= 3"
        ),
        {"no": message_no},
    )
    wanted = set(codes)
    heard(conn, [(row.no, Evidence.PRESENTED) for row in early if row.region in wanted], stamp=stamp)


def _confirm(conn: Connection, touched: Iterable[tuple[int, str]], *, stamp: Stamp) -> None:
    for message_no, code in touched:
        row = conn.execute(
            text(
                "SELECT t.no, t.path, t.played_at, t.answered_at, m.id, "
                "CASE WHEN m.closed_as IS NOT NULL OR :now > m.village_due_by THEN 1 ELSE 0 END AS late "
                "FROM target t JOIN message m ON m.no = t.message_no "
                f"WHERE t.message_no = :no AND t.code = :code AND t.confirmed_at IS NULL AND {_RULE_MET}"
            ),
            {"no": message_no, "code": code, "now": stamp.now_ms},
        ).one_or_none()
        if row is None:
            continue
        conn.execute(
            text("UPDATE target SET confirmed_at = :now, late = :late WHERE no = :no"),
            {"no": row.no, "now": stamp.now_ms, "late": row.late},
        )
        _tally(conn, message_no, row)
        told = {"village": code, "late": bool(row.late), "played_at": row.played_at, "answered_at": row.answered_at}
        events.append(conn, stamp=stamp, kind="village.confirmed", message_id=row.id, data=told)


def _tally(conn: Connection, message_no: int, row: Row[Any]) -> None:
    conn.execute(
        text(
            "UPDATE village_tally SET confirmed = confirmed + 1, late = late + :late "
            "WHERE message_no = :no AND region = :region"
        ),
        [{"no": message_no, "region": code, "late": row.late} for code in ("", *path_codes(row.path))],
    )
