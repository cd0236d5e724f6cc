"""Claiming: which legs are due, most urgent first, and the attempt committed before any network call.

Every claim carries a fencing token. Whoever holds an older one can still tell what became of its attempt, but no longer moves the leg.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import allotment, digits, events, optouts, senders
from warnd.ledger.allotment import Room, Terms
from warnd.ledger.each import ManyRows, execute_each
from warnd.ledger.events import Stamp
from warnd.ledger.priority import SEATS, URGENT, all_of, is_cancel, is_urgent, priority
from warnd.model.answer import LINKED
from warnd.model.sender import Standing


@dataclass(frozen=True, slots=True)
class Claimed:
    """One try that is ours until the lease ends.

    Attributes:
        leg_no, number, token: Which attempt it is, and the fence for its outcome.
        lang: The recipient's language; "" = the node's first.
        purpose: warning, cancel, area; publications have that of their message.
        public: True for the general public's copies, which carry no request to answer.
        asks: Its reader is asked to say that they have read it.
        digit: What the recipient replies to confirm; None = nothing is asked, the channel has links, or all nine digits are taken.
        regions: For publications: JSON list of region codes that shall play, None = all.
        sender: Which of the channel's senders carries it; "" = it has but one.
    """

    leg_no: int
    number: int
    token: int
    message_no: int
    channel: str
    address: str
    recipient: str | None
    lang: str
    purpose: str
    public: bool
    asks: bool
    digit: int | None
    repeated: bool
    regions: str | None
    sender: str = ""


def claim(
    conn: Connection, *, lane: str, limit: int, lease_ms: int, stamp: Stamp, terms: Terms | None = None
) -> list[Claimed]:
    """Take up to `limit` due legs of a lane, of open and unexpired messages only; commit their attempts as submitting.

    `terms` bound it further, and say which senders there are; without them there is one, as fast as one likes.
    """
    share = allotment.allot(conn, lane=lane, limit=limit, terms=terms, now_ms=stamp.now_ms) if terms else None
    due = _due(
        conn,
        lane=lane,
        limit=share.limit if share else limit,
        room=terms.room if terms else Room(limit, limit, limit),
        turns=share.turns if share else lambda _tries: 0,
        now_ms=stamp.now_ms,
    )
    spared = optouts.spare(conn, due, stamp=stamp) if due else set()
    nos = [no for no in due if no not in spared]
    carriers = share.assign(conn, nos) if share is not None else dict.fromkeys(nos, "")
    nos = [no for no in nos if no in carriers]
    if share is not None:
        share.settle(conn, lease_ms=lease_ms)
    if not nos:
        return []
    _take(conn, nos, carriers=carriers, lease_ms=lease_ms, stamp=stamp)
    rows = _details(conn, nos)
    asking = [row for row in rows if _asks(row) and row.channel not in LINKED]
    asked = digits.assign(conn, asking=[(row.address, row.message_no) for row in asking], now_ms=stamp.now_ms)
    digits.remember(conn, asked=[(row.address, row.message_no, row.delivery_no, row.channel) for row in asking])
    by_message: dict[str, list[list[int]]] = {}
    for row in rows:
        by_message.setdefault(row.message_id, []).append([row.no, row.attempts])
    for message_id, tries in by_message.items():
        events.append(
            conn, stamp=stamp, kind="attempt.submitting", message_id=message_id, data={"lane": lane, "legs": tries}
        )
    return [
        _claimed(
            row,
            asked.get((row.address, row.message_no)) if _asks(row) and row.channel not in LINKED else None,
            carriers[row.no],
        )
        for row in rows
    ]


def any_due(conn: Connection, *, lane: str, now_ms: int, urgent: bool = False) -> bool:
    """Say whether a claim would find anything, or anything urgent; a look that takes no lock, for lanes that are woken by every commit."""
    statement = f"{_RANGES_WITH_DUE}{_URGENT if urgent else ''} LIMIT 1"
    return conn.execute(text(statement), {"lane": lane, "now": now_ms}).one_or_none() is not None


@dataclass(frozen=True, slots=True)
class Look:
    """What a lane sees without a lock: whether a claim would find anything, and how its senders fare."""

    due: bool
    standings: Mapping[str, Standing]


def look(conn: Connection, *, lane: str, now_ms: int, urgent: bool, watched: bool) -> Look:
    """Look at a lane; senders only where something is due, or `watched` says that one of them was in trouble at the last look."""
    due = any_due(conn, lane=lane, now_ms=now_ms, urgent=urgent)
    return Look(due, senders.standings(conn, lane=lane) if due or watched else {})


def _most(rank: int, limit: int, room: Room) -> int:
    """Return how many may have been taken when the last leg of this rank is."""
    if is_cancel(rank):
        return min(limit, room.cancels)
    return min(limit, room.urgent if is_urgent(rank) else room.ordinary)


def _due(conn: Connection, *, lane: str, limit: int, room: Room, turns: Callable[[int], int], now_ms: int) -> list[int]:
    """Return leg numbers in order of claim: by priority, then due time, then number; at the end those that have waited longest.

    One index range for each (message, priority): rows that are due later, and rows of closed messages, are never walked over. `turns`
    tells of so many tries how many go to those that have waited longest, whatever their rank.
    """
    ranges: dict[int, list[int]] = {}
    since: list[tuple[int, int, int]] = []
    for row in conn.execute(text(_RANGES_WITH_DUE), {"lane": lane, "now": now_ms}):
        ranges.setdefault(row.priority, []).append(row.no)
        since.append((row.since, row.no, row.priority))
    found: list[int] = []
    for rank in sorted(ranges):
        most = _most(rank, limit, room) - len(found)
        if most <= 0:
            continue
        candidates = [
            _range(conn, message_no=no, lane=lane, priority=rank, limit=most, now_ms=now_ms)
            for no in sorted(ranges[rank])
        ]
        found += [no for (_, no), _ in zip(heapq.merge(*candidates), range(most), strict=False)]
    taken = set(found)
    longest = [no for no in _longest(conn, since, lane=lane, most=turns(len(found)), now_ms=now_ms) if no not in taken]
    free = max(0, min(limit, room.urgent) - len(found))
    return [*found[: len(found) - max(0, len(longest) - free)], *longest]


def _longest(conn: Connection, since: list[tuple[int, int, int]], *, lane: str, most: int, now_ms: int) -> list[int]:
    """Return who has waited longest, whatever their rank: they stand in the `most` ranges whose first leg has waited longest."""
    if most < 1:
        return []
    candidates = [
        _range(conn, message_no=no, lane=lane, priority=rank, limit=most, now_ms=now_ms)
        for _, no, rank in heapq.nsmallest(most, since)
    ]
    return [no for (_, no), _ in zip(heapq.merge(*candidates), range(most), strict=False)]


# Probes the index once for each open message and place in its order: with hundreds of warnings open a look that finds nothing
# stays one statement. Places are the same in every urgency, `_SPAN` apart.
_SPAN = priority(1, SEATS) - priority(0, SEATS)
_RANGES_WITH_DUE = f"""
WITH place(at) AS (VALUES {", ".join(f"({each})" for each in all_of(0))})
SELECT no, priority, since FROM (
    SELECT message.no AS no, message.urgency * {_SPAN} + place.at AS priority, (
        SELECT min(leg.due_at) FROM leg
        WHERE leg.message_no = message.no AND leg.lane = :lane AND leg.priority = message.urgency * {_SPAN} + place.at
          AND leg.state = 'due' AND leg.due_at <= :now
    ) AS since
    FROM message CROSS JOIN place
    WHERE message.closed_as IS NULL AND message.expires_at > :now
) ranges WHERE since IS NOT NULL
"""
_URGENT = f" AND ({URGENT})"


def _range(
    conn: Connection, *, message_no: int, lane: str, priority: int, limit: int, now_ms: int
) -> list[tuple[int, int]]:
    rows = conn.execute(
        text(
            "SELECT due_at, no FROM leg WHERE message_no = :message AND lane = :lane AND priority = :priority AND state = 'due' "
            "AND due_at <= :now ORDER BY due_at, no LIMIT :limit"
        ),
        {"message": message_no, "lane": lane, "priority": priority, "now": now_ms, "limit": limit},
    )
    return [(row.due_at, row.no) for row in rows]


def _take(conn: Connection, nos: Sequence[int], *, carriers: Mapping[int, str], lease_ms: int, stamp: Stamp) -> None:
    execute_each(
        conn,
        "UPDATE leg SET state = 'submitting', owner = :owner, token = token + 1, lease_until = :until, attempts = attempts + 1, "
        "last_at = :now WHERE no = :no AND state = 'due'",
        [{"no": no, "owner": stamp.writer, "until": stamp.now_ms + lease_ms, "now": stamp.now_ms} for no in nos],
    )
    execute_each(
        conn,
        "INSERT INTO attempt (leg_no, number, state, repeat, parts, submitted_at, sender) "
        "SELECT no, attempts, 'submitting', repeat, 1, :now, CAST(:sender AS TEXT) FROM leg WHERE no = :no",
        [{"no": no, "now": stamp.now_ms, "sender": carriers[no] or None} for no in nos],
    )


_DETAILS = ManyRows(
    "SELECT l.no, l.attempts, l.token, l.message_no, l.channel, l.address, l.repeat, l.delivery_no, m.id AS message_id, m.kind, "
    "coalesce(d.purpose, p.purpose) AS purpose, d.proof, v.kind AS recipient_kind, coalesce(v.lang, p.lang) AS lang, "
    "r.id AS recipient, "
    "CASE WHEN p.no IS NOT NULL THEN p.regions WHEN l.channel = 'mqtt' THEN ("  # A direct command names the topic's regions.
    "SELECT q.regions FROM publication q JOIN region t ON t.code = q.target JOIN region g ON g.code = d.region "
    "WHERE q.message_no = l.message_no AND q.channel = 'mqtt' AND substr(g.path, 1, length(t.path)) = t.path "
    "ORDER BY t.path DESC LIMIT 1) END AS regions "
    "FROM leg l JOIN message m ON m.no = l.message_no "
    "LEFT JOIN delivery d ON d.no = l.delivery_no LEFT JOIN recipient_version v ON v.no = d.version_no "
    "LEFT JOIN recipient r ON r.no = d.recipient_no LEFT JOIN publication p ON p.no = l.publication_no "
    "WHERE l.no IN :nos",
    *(
        "no",
        "attempts",
        "token",
        "message_no",
        "channel",
        "address",
        "repeat",
        "delivery_no",
        "message_id",
        "kind",
        "purpose",
    ),
    *("proof", "recipient_kind", "lang", "recipient", "regions"),
)


def _details(conn: Connection, nos: Sequence[int]) -> list[Row[Any]]:
    """Return what rendering needs, in the order of `nos`."""
    found = {row.no: row for row in _DETAILS.fetch(conn, nos)}
    return [found[no] for no in nos]


def _asks(row: Row[Any]) -> bool:
    """Say whether this try asks its reader to reply: people with a duty, about a warning that still holds for them."""
    return row.purpose == "warning" and row.recipient_kind not in {None, "household", "terminal"}


def _claimed(row: Row[Any], digit: int | None, sender: str) -> Claimed:
    return Claimed(
        leg_no=row.no,
        number=row.attempts,
        token=row.token,
        message_no=row.message_no,
        channel=row.channel,
        address=row.address,
        recipient=row.recipient,
        lang=row.lang or "",
        purpose=row.purpose or row.kind,
        public=row.recipient_kind == "household",
        asks=_asks(row),
        digit=digit,
        repeated=bool(row.repeat),
        regions=row.regions,
        sender=sender,
    )
