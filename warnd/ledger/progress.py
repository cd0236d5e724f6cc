"""Whether work moves: what is due in each lane, since when, and when each last got something taken, by whichever worker.

Read every few seconds, so it looks at indices only, and at nothing but a few rows while nothing is due.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger.events import Stamp
from warnd.ledger.values import many

_NOTE = text(
    "INSERT INTO progress (lane, taken_at, taken) VALUES (:lane, :now, :taken) ON CONFLICT (lane) DO UPDATE SET "
    "taken_at = excluded.taken_at, taken = progress.taken + excluded.taken"
)
_OPEN = text(
    "SELECT no, id, stage, cursor FROM message WHERE closed_as IS NULL AND expires_at > :now ORDER BY urgency, no"
)
_DUE = many(
    "SELECT message_no, lane, count(*) AS n, min(due_at) AS since FROM leg "
    "WHERE message_no IN :messages AND state = 'due' AND due_at <= :now GROUP BY message_no, lane",
    "messages",
)
_PARTS = many(
    "SELECT channel, sum(CASE WHEN what = 'segments' THEN n ELSE 0 END) AS parts, "
    "sum(CASE WHEN what = 'segments' THEN 0 ELSE n END) AS legs FROM channel_tally WHERE message_no IN :messages GROUP BY channel",
    "messages",
)
_FAILING = many(
    "SELECT count(*) FROM (SELECT 1 FROM leg WHERE message_no IN :messages AND lane = :lane AND state = 'due' "
    "AND failures >= :failures LIMIT :most) AS failing",
    "messages",
)
_FAILURES = 3  # In a row; fewer are an ordinary evening.


@dataclass(frozen=True, slots=True)
class LaneWork:
    """What one lane has to do. Times in milliseconds since 1970 UTC.

    Attributes:
        queued: Message number -> its tries that could begin now.
        since: When the first of them was due; None = there are none.
        taken_at: When something of this lane was last taken by the other side; None = never.
        taken: How many were since the store was made.
    """

    queued: Mapping[int, int]
    since: int | None
    taken_at: int | None
    taken: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at all of it.

    Attributes:
        messages: Number and id of those that are open, most urgent first.
        unplanned: Ids of those that are still being planned -> how far that has come.
        lanes: Only lanes that have something due, or ever got something taken.
        parts: Channel -> how many parts one of its texts has, as gateways counted them so far; only where they did.
    """

    messages: Mapping[int, str]
    unplanned: Mapping[str, str]
    lanes: Mapping[str, LaneWork]
    parts: Mapping[str, float]


def note(conn: Connection, taken: Mapping[str, int], *, stamp: Stamp) -> None:
    """Keep that these lanes got something taken just now: lane -> how many."""
    if taken:
        conn.execute(_NOTE, [{"lane": lane, "now": stamp.now_ms, "taken": n} for lane, n in sorted(taken.items())])


def prove(conn: Connection, *, worker: str, stamp: Stamp) -> None:
    """Write something, to prove that the store can be written: a store that can only be read loses every proof."""
    conn.execute(_NOTE, {"lane": f"alive:{worker}", "now": stamp.now_ms, "taken": 1})


def look(conn: Connection, *, now_ms: int) -> Look:
    """Return what is to be done and what was done last."""
    rows = list(conn.execute(_OPEN, {"now": now_ms}))
    due = list(conn.execute(_DUE, {"messages": [row.no for row in rows], "now": now_ms})) if rows else []
    counted = conn.execute(_PARTS, {"messages": [row.no for row in rows]}) if due else ()
    kept = {row.lane: row for row in conn.execute(text("SELECT lane, taken_at, taken FROM progress"))}
    lanes = {
        name: LaneWork(
            queued={row.message_no: row.n for row in due if row.lane == name},
            since=min((row.since for row in due if row.lane == name), default=None),
            taken_at=kept[name].taken_at if name in kept else None,
            taken=kept[name].taken if name in kept else 0,
        )
        for name in sorted({row.lane for row in due} | set(kept))
    }
    return Look(
        messages={row.no: row.id for row in rows},
        unplanned={row.id: f"{row.stage} {row.cursor}" for row in rows if row.stage != "planned"},
        lanes=lanes,
        parts={row.channel: float(row.parts) / float(row.legs) for row in counted if row.parts and row.legs},
    )


def failing(conn: Connection, *, lanes: Collection[str], messages: Collection[int], most: int) -> dict[str, int]:
    """Return for each of these lanes how many legs, up to `most`, have failed several times in a row and are to be tried again."""
    values = {"messages": sorted(messages), "failures": _FAILURES, "most": most}
    return {lane: conn.execute(_FAILING, {**values, "lane": lane}).scalar_one() for lane in sorted(lanes)}
