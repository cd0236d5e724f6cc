"""Who has heard and who has not: regions from tallies, villages that are silent one page at a time, each with its reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.directory import RegionRow
from warnd.ledger.values import from_ms, many, maybe_time
from warnd.ledger.views.cursor import cursor as cursor_of
from warnd.ledger.views.cursor import place
from warnd.ledger.views.places import below, region
from warnd.ledger.views.speakers import speakers
from warnd.model.coverage import VillageFacts, reason
from warnd.model.documents import ConfirmedAt, Coverage, RegionCoverage, UnconfirmedVillage
from warnd.model.plan import VillageRule
from warnd.model.region import subtree

# Written out and not bound: SQLite uses a partial index only where it reads the index's own condition.
_SILENT = "t.message_no = :no AND t.tier = 'village' AND t.ancestor = 0 AND t.confirmed_at IS NULL"
_HEARD = "message_no = :no AND tier = 'village' AND ancestor = 0 AND confirmed_at IS NOT NULL"


def coverage(
    conn: Connection,
    *,
    warning_id: str,
    jurisdiction: tuple[str, ...],
    now: datetime,
    limit: int,
    parent: str | None = None,
    cursor: str | None = None,
) -> Coverage | None:
    """Return the coverage of one warning, or None if no warning has this id.

    Args:
        conn: Reads only.
        warning_id: A warning without a message (held, in review, rejected) has nobody to reach yet.
        jurisdiction: Codes of the regions this node serves, as its settings have them.
        now: Aware UTC.
        limit: How many unconfirmed villages to name.
        parent: Only this region: its children, and the villages below it.
        cursor: Where the villages go on.

    Raises:
        UnknownRegion: `parent` is not in the directory.
        BadCursor: `cursor` is none of this listing.
    """
    if conn.execute(text("SELECT 1 FROM warning WHERE id = :id"), {"id": warning_id}).one_or_none() is None:
        return None
    message = conn.execute(text("SELECT * FROM message WHERE id = :id"), {"id": warning_id}).one_or_none()
    above = None if parent is None else region(conn, code=parent)
    regions = below(conn, parent=above, jurisdiction=jurisdiction)
    (after,) = place(cursor, start=("",))
    silent = _silent(conn, message, above, after=str(after), limit=limit + 1) if message is not None else []
    return Coverage(
        warning=warning_id,
        at=now,
        regions=_tallied(conn, message, regions),
        unconfirmed=_reasons(conn, message, silent[:limit], now=now),
        confirmed_at=_pace(conn, message),
        cursor=cursor_of(silent[limit - 1].code) if len(silent) > limit else None,
    )


def _silent(
    conn: Connection, message: Row[Any], above: RegionRow | None, *, after: str, limit: int
) -> Sequence[Row[Any]]:
    """Return unconfirmed villages by code."""
    values: dict[str, Any] = {"no": message.no, "after": after, "limit": limit}
    within = ""
    if above is not None:
        within = " AND t.path >= :low AND t.path < :high"
        values["low"], values["high"] = subtree(above.path)
    # The page is cut on the index alone; only its rows are then read.
    page = f"SELECT t.no FROM target t WHERE {_SILENT} AND t.code > :after{within} ORDER BY t.code LIMIT :limit"
    return conn.execute(
        text(
            "SELECT t.code, r.name, t.played_at, t.answered_at, t.has_officer FROM target t "
            f"LEFT JOIN region r ON r.code = t.code WHERE t.no IN ({page}) ORDER BY t.code"
        ),
        values,
    ).all()


def _reasons(
    conn: Connection, message: Row[Any] | None, silent: Sequence[Row[Any]], *, now: datetime
) -> list[UnconfirmedVillage]:
    if message is None or not silent:
        return []
    rule = VillageRule(terminal=message.terminal_rule, bare=message.bare_rule, within_s=None)
    standing = speakers(conn, message=message, codes=[village.code for village in silent], now=now)
    found = []
    for village in silent:
        facts = VillageFacts(
            rule=rule,
            released_at=from_ms(message.released_at),
            played_at=maybe_time(village.played_at),
            answered_at=maybe_time(village.answered_at),
            has_officer=village.has_officer != 0,  # NULL: the planner has not come to it yet, so nobody is missing.
            terminals=standing.get(village.code, ()),
        )
        why = reason(facts, now=now)
        found.append(
            UnconfirmedVillage(
                code=village.code,
                name=village.name or village.code,
                reason=why.reason,
                since=why.since,
                detail=why.detail,
            )
        )
    return found


def _tallied(conn: Connection, message: Row[Any] | None, regions: Sequence[RegionRow]) -> list[RegionCoverage]:
    """Return the regions with what is targeted and confirmed under each; a village counts as itself."""
    codes = [each.code for each in regions]
    counts = dict.fromkeys(codes, (0, 0))
    if message is not None and codes:
        values = {"no": message.no, "codes": codes}
        counts |= {code: (n, confirmed) for code, n, confirmed in conn.execute(_VILLAGES, values)}
        counts |= {code: (n, confirmed) for code, n, confirmed in conn.execute(_TALLIES, values)}
    return [RegionCoverage(each.code, each.name, each.tier, *counts[each.code]) for each in regions]


_TALLIES = many(
    "SELECT region, targeted, confirmed FROM village_tally WHERE message_no = :no AND region IN :codes", "codes", of=str
)
_VILLAGES = many(
    "SELECT code, 1, CASE WHEN confirmed_at IS NULL THEN 0 ELSE 1 END FROM target "
    "WHERE message_no = :no AND tier = 'village' AND ancestor = 0 AND code IN :codes",
    "codes",
    of=str,
)


def _pace(conn: Connection, message: Row[Any] | None) -> ConfirmedAt:
    """Return when half, nine tenths and all of the targeted villages were confirmed; nothing while they are still being listed."""
    if message is None:
        return ConfirmedAt()
    tally = conn.execute(
        text("SELECT targeted, confirmed FROM village_tally WHERE message_no = :no AND region = ''"), {"no": message.no}
    ).one_or_none()
    if tally is None or tally.targeted == 0 or message.stage in ("publications", "carry", "targets"):
        return ConfirmedAt()
    return ConfirmedAt(*(_seconds(conn, message, tally, percent=percent) for percent in (50, 90, 100)))


def _seconds(conn: Connection, message: Row[Any], tally: Row[Any], *, percent: int) -> int | None:
    """Return whole seconds, rounded up, from release until `percent` of the villages were confirmed."""
    needed = -(-tally.targeted * percent // 100)
    if tally.confirmed < needed:
        return None
    at: int | None = conn.execute(
        text(f"SELECT confirmed_at FROM target WHERE {_HEARD} ORDER BY confirmed_at LIMIT 1 OFFSET :skip"),
        {"no": message.no, "skip": needed - 1},
    ).scalar()
    return None if at is None else max(0, -((message.released_at - at) // 1000))
