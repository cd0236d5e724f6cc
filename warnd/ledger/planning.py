"""From message to deliveries and legs, in resumable chunks.

Each chunk is one short transaction: what it makes, the counters and the cursor are committed together, so that a crash between two chunks
loses nothing and repeats nothing. A message passes the stages publications, targets, audience:0, audience:1 …, carry, subscribers and is
then planned (a Cancel has only publications, carry and subscribers); within a stage rows are made in the order in which they will be
claimed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import (
    deliveries,
    legs,
    listeners,
    messages,
    optouts,
    publications,
    subscribers,
    succession,
    tallies,
    targets,
    villages,
)
from warnd.ledger.counters import add_planned
from warnd.ledger.events import Stamp
from warnd.ledger.values import many
from warnd.model.evidence import Evidence
from warnd.model.plan import Audience, Plan


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one chunk may do, so that its transaction holds the write lock for at most about 150 ms.

    Attributes:
        regions: Regions expanded, or walked for seats and terminals, in one chunk.
        rows: Deliveries to the public, or carried over, in one chunk.
    """

    regions: int = 2_000
    rows: int = 4_000


@dataclass(frozen=True, slots=True)
class Means:
    """What this node can use, handed in because the ledger knows no settings.

    Attributes:
        channels: Names of the channels that are on.
        jurisdiction: Codes of the regions this node serves; empty = all.
        publications: Channel -> the addresses there that every public message goes to.
    """

    channels: frozenset[str]
    jurisdiction: tuple[str, ...]
    publications: Mapping[str, Sequence[str]] = field(default_factory=dict)


_VISIBLE = "v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev)"
_INSERT = "INSERT INTO delivery (message_no, recipient_no, version_no, purpose, subject, region, audience, proof, evidence, state, due_by) "
_ONCE = "ON CONFLICT (message_no, recipient_no, purpose, subject) DO NOTHING"


def step(conn: Connection, *, means: Means, pace: Pace, stamp: Stamp) -> str | None:
    """Make the next chunk of the most urgent message that is not planned yet.

    Returns:
        The message's id, or None when there is nothing to plan.
    """
    message = messages.next_to_plan(conn)
    if message is None:
        return None
    plan = Plan.from_dict(json.loads(message.plan))
    stage, cursor = _run(conn, message, plan, means=means, pace=pace, stamp=stamp)
    if stage == "planned":
        messages.planned(conn, no=message.no, stamp=stamp)
    else:
        messages.advance(conn, no=message.no, stage=stage, cursor=cursor)
    found: str = message.id
    return found


def anything(conn: Connection) -> bool:
    """Say whether a message waits to be planned; a look without the write lock."""
    return messages.next_to_plan(conn) is not None


def _run(
    conn: Connection, message: Row[Any], plan: Plan, *, means: Means, pace: Pace, stamp: Stamp
) -> tuple[str, dict[str, Any]]:
    """Run one chunk; return the stage and cursor that come next."""
    cursor = json.loads(message.cursor)
    stage, _, index = message.stage.partition(":")
    if stage == "publications":
        loudspeakers = any(audience.kind == "terminals" for audience in plan.audiences)
        publications.plan(
            conn,
            message=message,
            channels=means.channels,
            targets=means.publications,
            loudspeakers=loudspeakers,
        )
        return ("carry" if message.kind == "cancel" else "targets"), {}
    if stage == "targets":
        left, made = targets.expand(
            conn, message=message, cursor=cursor, jurisdiction=means.jurisdiction, limit=pace.regions
        )
        villages.catch_up(conn, message_no=message.no, codes=made, stamp=stamp)
        return ("targets", left) if left else ("audience:0", {})
    if stage == "audience" and int(index) < len(plan.audiences):
        left = _audience(conn, message, plan, index=int(index), cursor=cursor, means=means, pace=pace, stamp=stamp)
        return (message.stage, left) if left else (f"audience:{int(index) + 1}", {})
    if stage == "subscribers":
        rows = max(1, pace.rows // 2)  # Each browser is a publication and a leg.
        left = subscribers.plan(conn, message=message, cursor=cursor, regions=pace.regions, rows=rows)
        return ("subscribers", left) if left else ("planned", {})
    left = _carry(conn, message, plan, cursor=cursor, means=means, limit=pace.rows)
    if left:
        return "carry", left
    return ("subscribers" if "push" in means.channels else "planned"), {}


def _audience(
    conn: Connection,
    message: Row[Any],
    plan: Plan,
    *,
    index: int,
    cursor: dict[str, Any],
    means: Means,
    pace: Pace,
    stamp: Stamp,
) -> dict[str, Any]:
    """Plan the next chunk of one audience; return the cursor, empty at the audience's end."""
    audience = plan.audiences[index]
    if audience.kind == "public" and not message.public:
        return {}
    before = _last_delivery(conn)
    values = {
        "no": message.no,
        "rev": message.directory_rev,
        "audience": index,
        "proof": int(audience.proof),
        "due_by": None if audience.within_s is None else message.released_at + audience.within_s * 1000,
    }
    if audience.kind == "public":
        left = _households(conn, values, cursor=cursor, limit=pace.rows)
    else:
        left = _by_regions(conn, audience, values, cursor=cursor, limit=pace.regions)
    if audience.kind == "terminals":
        publications.cover_new(conn, message_no=message.no, after=before)
    deliveries.settle_planned(conn, message_no=message.no, after=before, now_ms=stamp.now_ms)
    legs.plan(conn, message=message, plan=plan, index=index, after=before, channels=means.channels)
    if message.seq > 1:
        earlier = [one.no for one in succession.before(conn, message)]
        legs.follow(conn, message=message, plan=plan, earlier=earlier, after=before, channels=means.channels)
    optouts.overrule(conn, message_no=message.no, after=before, stamp=stamp)
    tallies.add_planned(conn, message_no=message.no, after=before)
    deliveries.close_pathless(conn, message_no=message.no, after=before)
    add_planned(conn, message_no=message.no, after=before)
    return left


def _by_regions(
    conn: Connection, audience: Audience, values: dict[str, Any], *, cursor: dict[str, Any], limit: int
) -> dict[str, Any]:
    """Walk the next `limit` target regions for seats or terminals."""
    after = cursor.get("after", 0)
    upto = conn.execute(
        text(
            "SELECT max(no) FROM (SELECT no FROM target WHERE message_no = :no AND no > :after ORDER BY no LIMIT :limit) AS chunk"
        ),
        {**values, "after": after, "limit": limit},
    ).scalar()
    if upto is None:
        return {}
    bounds = {**values, "after": after, "upto": upto}
    if audience.kind == "terminals":
        _insert_terminals(conn, bounds)
    else:
        _insert_seats(conn, audience, bounds)
    return {"after": upto}


def _insert_seats(conn: Connection, audience: Audience, values: dict[str, Any]) -> None:
    roles = {f"role{n}": role for n, role in enumerate(audience.roles)}
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', t.code, :audience, :proof, 0, 'open', :due_by "
            "FROM target t JOIN seat s ON s.region = t.code JOIN recipient_version v ON v.no = s.version_no "
            f"WHERE t.message_no = :no AND t.no > :after AND t.no <= :upto AND ({_where(audience)}) "
            f"AND s.role IN ({', '.join(':' + name for name in roles)}) AND {_VISIBLE} ORDER BY t.no, v.recipient_no {_ONCE}"
        ),
        {**values, **roles},
    )


def _where(audience: Audience) -> str:
    conditions = {
        "village": "(t.tier = 'village' AND t.ancestor = 0)",
        "targeted": "t.ancestor = 0",
        "ancestors": "t.ancestor = 1",
    }
    return " OR ".join(conditions[where] for where in audience.where)


def _insert_terminals(conn: Connection, values: dict[str, Any]) -> None:
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', t.code, :audience, :proof, 0, 'open', :due_by "
            "FROM target t JOIN recipient_version v ON v.region = t.code AND v.kind = 'terminal' "
            f"WHERE t.message_no = :no AND t.no > :after AND t.no <= :upto AND t.ancestor = 0 AND {_VISIBLE} "
            f"ORDER BY t.no, v.recipient_no {_ONCE}"
        ),
        values,
    )


def _households(conn: Connection, values: dict[str, Any], *, cursor: dict[str, Any], limit: int) -> dict[str, Any]:
    """Plan the next households: first those of the target regions, then those whose own point lies in the area."""
    if "point" in cursor:
        return _households_by_point(conn, values, after=cursor["point"], limit=limit)
    place = {**values, "target": cursor.get("target", 0), "recipient": cursor.get("recipient", 0), "limit": limit}
    walk = (
        "FROM target t JOIN recipient_version v ON v.region = t.code AND v.kind = 'household' "
        "WHERE t.message_no = :no AND t.ancestor = 0 AND t.no >= :target AND (t.no > :target OR v.recipient_no > :recipient) "
        f"AND {_VISIBLE} "
    )
    end = conn.execute(
        text(
            f"SELECT t.no AS target_no, v.recipient_no AS recipient_no {walk} ORDER BY t.no, v.recipient_no LIMIT 1 OFFSET :skip"
        ),
        {**place, "skip": limit - 1},
    ).one_or_none()
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', v.region, :audience, :proof, 0, 'open', :due_by "
            f"{walk} ORDER BY t.no, v.recipient_no LIMIT :limit {_ONCE}"
        ),
        place,
    )
    return {"target": end.target_no, "recipient": end.recipient_no} if end is not None else {"point": 0}


def _households_by_point(conn: Connection, values: dict[str, Any], *, after: int, limit: int) -> dict[str, Any]:
    bounds = {**values, "after": after, "limit": limit}
    end = conn.execute(
        text(
            "SELECT max(recipient_no) FROM (SELECT recipient_no FROM target_recipient "
            "WHERE message_no = :no AND recipient_no > :after ORDER BY recipient_no LIMIT :limit) AS chunk"
        ),
        bounds,
    ).scalar()
    if end is None:
        return {}
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', v.region, :audience, :proof, 0, 'open', :due_by "
            "FROM target_recipient p JOIN recipient_version v ON v.recipient_no = p.recipient_no AND v.kind = 'household' "
            f"WHERE p.message_no = :no AND p.recipient_no > :after AND p.recipient_no <= :upto AND {_VISIBLE} "
            f"ORDER BY p.recipient_no {_ONCE}"
        ),
        {**bounds, "upto": end},
    )
    return {"point": end}


def _last_delivery(conn: Connection) -> int:
    last: int | None = conn.execute(text("SELECT max(no) FROM delivery")).scalar()
    return last or 0


def _carry(
    conn: Connection, message: Row[Any], plan: Plan, *, cursor: dict[str, Any], means: Means, limit: int
) -> dict[str, Any]:
    """Carry the next recipients over who may have got an earlier message of the chain; return the cursor, empty at the end."""
    earlier = succession.before(conn, message)
    position = cursor.get("of", 0)
    if position >= len(earlier):
        return {}
    old_no, whom = earlier[position].no, _whom(conn, message, of_chain=earlier[position].chain_id)
    if "topics" in cursor:
        if whom is Whom.PEOPLE:
            return {"of": position + 1}
        return _carry_listeners(conn, message, plan, cursor=cursor, old_no=old_no, means=means, limit=limit)
    after, last = cursor.get("span") or _span(conn, old_no=old_no)
    if after >= last:
        return {"of": position, "topics": "", "below": ""}
    upto: int = conn.execute(
        text(
            "SELECT max(no) FROM (SELECT no FROM delivery WHERE no > :after AND no <= :last ORDER BY no LIMIT :limit) AS chunk"
        ),
        {"after": after, "last": last, "limit": limit},
    ).scalar_one()
    carry_range(
        conn, message=message, plan=plan, old_no=old_no, after=after, upto=upto, channels=means.channels, whom=whom
    )
    return {"of": position, "span": [upto, last]}


def _span(conn: Connection, *, old_no: int) -> tuple[int, int]:
    """Return between which numbers an older message's deliveries lie: (the one before the first, the last)."""
    row = conn.execute(
        text("SELECT min(no) AS first, max(no) AS last FROM delivery WHERE message_no = :old"), {"old": old_no}
    ).one()
    return (row.first - 1, row.last) if row.last is not None else (0, 0)


class Whom(StrEnum):
    """Whom a message tells of an older one. Its value is the condition on the recipient's version."""

    EVERYBODY = "1 = 1"
    PEOPLE = "v.kind <> 'terminal'"
    TERMINALS = "v.kind = 'terminal'"


def _whom(conn: Connection, message: Row[Any], *, of_chain: str) -> Whom:
    """Return whom a message tells of an older one of this chain.

    Where another chain took this one over, its people hear from there, and the Cancel in it silences its loudspeakers.
    """
    if message.chain_id != of_chain:
        return Whom.PEOPLE
    return Whom.TERMINALS if succession.taken_over(conn, of_chain) else Whom.EVERYBODY


def carry_range(
    conn: Connection,
    *,
    message: Row[Any],
    plan: Plan,
    old_no: int,
    after: int,
    upto: int,
    channels: frozenset[str],
    whom: Whom,
) -> None:
    """Give a Cancel or Update to those who may have got an older message, on the same channels.

    They are taken by its deliveries numbered (after, upto]: in the order in which they were told, those with a duty first.
    """
    before = _last_delivery(conn)
    conn.execute(
        text(
            f"{_INSERT} SELECT :no, d.recipient_no, d.version_no, :purpose, '', d.region, -1, "
            "CASE WHEN v.kind = 'household' THEN :accepted ELSE :delivered END, 0, 'open', NULL "
            "FROM delivery d JOIN recipient_version v ON v.no = d.version_no "
            f"WHERE +d.message_no = :old AND d.no > :after AND d.no <= :upto AND {whom} AND "
            "(d.evidence > 0 OR EXISTS (SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no WHERE l.delivery_no = d.no "
            "AND a.state IN ('submitting', 'accepted', 'unknown'))) "
            "AND NOT EXISTS (SELECT 1 FROM delivery told WHERE told.message_no = :no AND told.recipient_no = d.recipient_no) "
            f"ORDER BY d.no {_ONCE}"
        ),
        {
            "no": message.no,
            "old": old_no,
            "after": after,
            "upto": upto,
            "purpose": _purpose(message),
            "accepted": int(Evidence.ACCEPTED),
            "delivered": int(Evidence.DELIVERED),
        },
    )
    publications.cover_new(conn, message_no=message.no, after=before)
    legs.carry(conn, message=message, plan=plan, old_no=old_no, after=before, channels=channels)
    _tell_terminals(conn, message, plan, after=before, channels=channels)
    tallies.add_planned(conn, message_no=message.no, after=before)
    deliveries.close_pathless(conn, message_no=message.no, after=before)
    add_planned(conn, message_no=message.no, after=before)


def _carry_listeners(
    conn: Connection,
    message: Row[Any],
    plan: Plan,
    *,
    cursor: dict[str, Any],
    old_no: int,
    means: Means,
    limit: int,
) -> dict[str, Any]:
    """Carry the next terminals over that read a topic of an older message and were not planned for it before it was closed."""
    place, codes = listeners.next_regions(conn, old_no=old_no, cursor=cursor, limit=limit)
    before = _last_delivery(conn)
    conn.execute(
        many(
            f"{_INSERT} SELECT :no, v.recipient_no, v.no, :purpose, '', v.region, -1, :delivered, 0, 'open', NULL "
            f"FROM recipient_version v WHERE v.region IN :codes AND v.kind = 'terminal' AND {_VISIBLE} "
            "AND NOT EXISTS (SELECT 1 FROM delivery told WHERE told.message_no = :no AND told.recipient_no = v.recipient_no) "
            f"ORDER BY v.recipient_no {_ONCE}",
            "codes",
            of=str,
        ),
        {
            "no": message.no,
            "rev": message.directory_rev,
            "codes": codes,
            "purpose": _purpose(message),
            "delivered": int(Evidence.DELIVERED),
        },
    )
    publications.cover_new(conn, message_no=message.no, after=before)
    _tell_terminals(conn, message, plan, after=before, channels=means.channels)
    tallies.add_planned(conn, message_no=message.no, after=before)
    deliveries.close_pathless(conn, message_no=message.no, after=before)
    add_planned(conn, message_no=message.no, after=before)
    return {"of": cursor["of"], **place} if place else {"of": cursor["of"] + 1}


def _purpose(message: Row[Any]) -> str:
    return "cancel" if message.kind == "cancel" else "area"


def _tell_terminals(conn: Connection, message: Row[Any], plan: Plan, *, after: int, channels: frozenset[str]) -> None:
    """Give carried-over terminals that never had a command of their own one now, should the topic not do."""
    if "mqtt" in channels:
        legs.direct(
            conn,
            message=message,
            after=after,
            tries=plan.cancel_tries,
            wait_ms=plan.cancel_wait_s * 1000,
            now_ms=message.released_at,
        )
