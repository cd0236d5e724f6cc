"""Villages: confirmed when the plan's rule is met by receipts that can be shown, and never unconfirmed again for that version."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.values import many
from warnd.model.evidence import Evidence
from warnd.model.region import path_codes

# A village's rule: with a terminal of its own, playback and answer or either of them; without one, the answer where the plan lets it do.
_RULE_MET = (
    "(CASE WHEN t.has_terminal = 1 THEN "
    "(CASE WHEN m.terminal_rule = 'both' THEN t.played_at IS NOT NULL AND t.answered_at IS NOT NULL "
    "ELSE t.played_at IS NOT NULL OR t.answered_at IS NOT NULL END) "
    "ELSE m.bare_rule = 'officer' AND t.answered_at IS NOT NULL END)"
)


_TERMINALS = (
    "SELECT DISTINCT d.message_no, v.region AS code FROM delivery d JOIN recipient_version v ON v.no = d.version_no "
    "WHERE d.no IN :nos AND v.kind = 'terminal' AND d.purpose = 'warning' ORDER BY d.message_no, v.region"
)
# One person's answer serves every officer's seat that they hold.
_OFFICERS = (
    "SELECT DISTINCT d.message_no, s.region AS code FROM delivery d JOIN seat s ON s.version_no = d.version_no "
    "AND s.role IN ('information_officer', 'deputy_officer') "
    "WHERE d.no IN :nos AND d.purpose = 'warning' ORDER BY d.message_no, s.region"
)
# By both columns of the key: a subquery here would walk over every village of the message, for each proof.
_THIS_VILLAGE = "WHERE message_no = :message_no AND code = :code AND tier = 'village' AND ancestor = 0"


def heard(conn: Connection, proofs: Sequence[tuple[int, Evidence]], *, stamp: Stamp) -> None:
    """Let villages profit from deliveries that rose: a whole playback in the village, an answer of an officer of it."""
    played = _villages(conn, _TERMINALS, [no for no, evidence in proofs if evidence >= Evidence.PRESENTED])
    answered = _villages(conn, _OFFICERS, [no for no, evidence in proofs if evidence >= Evidence.ACKNOWLEDGED])
    _mark(conn, "played_at = coalesce(played_at, :now), has_terminal = 1", played, stamp=stamp)
    _mark(conn, "answered_at = coalesce(answered_at, :now)", answered, stamp=stamp)
    _confirm(conn, sorted({*played, *answered}), stamp=stamp)


def _villages(conn: Connection, statement: str, delivery_nos: Sequence[int]) -> list[tuple[int, str]]:
    """Return (message number, region code) of what these deliveries speak for; it may be no village, or not targeted."""
    if not delivery_nos:
        return []
    rows = conn.execute(many(statement, "nos"), {"nos": delivery_nos})
    return [(row.message_no, row.code) for row in rows]


def _mark(conn: Connection, change: str, found: Sequence[tuple[int, str]], *, stamp: Stamp) -> None:
    if found:
        conn.execute(
            text(f"UPDATE target SET {change} {_THIS_VILLAGE}"),
            [{"message_no": message_no, "code": code, "now": stamp.now_ms} for message_no, code in found],
        )


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
                "WHERE t.message_no = :no AND t.code = :code AND t.tier = 'village' AND t.ancestor = 0 "
                f"AND t.confirmed_at IS NULL AND {_RULE_MET}"
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
