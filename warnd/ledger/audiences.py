"""Who hears a message because the plan names them: seats, terminals and the public of its target regions, chunk by chunk."""

from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import deliveries, drafts, legs, optouts, publications, succession
from warnd.ledger.directory import VISIBLE
from warnd.ledger.events import Stamp
from warnd.model.plan import Audience, Plan


def plan(
    conn: Connection,
    message: Row[Any],
    policy: Plan,
    *,
    index: int,
    cursor: dict[str, Any],
    channels: frozenset[str],
    regions: int,
    rows: int,
    stamp: Stamp,
) -> dict[str, Any]:
    """Plan the next chunk of audience number `index` of the policy; return the cursor, empty at the audience's end.

    A chunk walks at most so many regions for seats and terminals, or makes at most so many rows for the public.
    """
    audience = policy.audiences[index]
    if audience.kind == "public" and not message.public:
        return {}
    before = drafts.last(conn)
    values = {
        "no": message.no,
        "rev": message.directory_rev,
        "audience": index,
        "proof": int(audience.proof),
        "due_by": None if audience.within_s is None else message.released_at + audience.within_s * 1000,
    }
    if audience.kind == "public":
        left = _households(conn, values, cursor=cursor, limit=rows)
    else:
        left = _by_regions(conn, audience, values, cursor=cursor, limit=regions)
    if audience.kind == "terminals":
        publications.cover_new(conn, message_no=message.no, after=before)
    deliveries.settle_planned(conn, message_no=message.no, after=before, now_ms=stamp.now_ms)
    legs.plan(conn, message=message, plan=policy, index=index, after=before, channels=channels)
    if message.seq > 1:
        earlier = [one.no for one in succession.before(conn, message)]
        legs.follow(conn, message=message, plan=policy, earlier=earlier, after=before, channels=channels)
    optouts.overrule(conn, message_no=message.no, after=before, stamp=stamp)
    drafts.finish(conn, message_no=message.no, after=before)
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
            f"{drafts.INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', t.code, :audience, :proof, 0, 'open', :due_by "
            "FROM target t JOIN seat s ON s.region = t.code JOIN recipient_version v ON v.no = s.version_no "
            f"WHERE t.message_no = :no AND t.no > :after AND t.no <= :upto AND ({_where(audience)}) "
            f"AND s.role IN ({', '.join(':' + name for name in roles)}) AND {VISIBLE} ORDER BY t.no, v.recipient_no {drafts.ONCE}"
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
            f"{drafts.INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', t.code, :audience, :proof, 0, 'open', :due_by "
            "FROM target t JOIN recipient_version v ON v.region = t.code AND v.kind = 'terminal' "
            f"WHERE t.message_no = :no AND t.no > :after AND t.no <= :upto AND t.ancestor = 0 AND {VISIBLE} "
            f"ORDER BY t.no, v.recipient_no {drafts.ONCE}"
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
        f"AND {VISIBLE} "
    )
    end = conn.execute(
        text(
            f"SELECT t.no AS target_no, v.recipient_no AS recipient_no {walk} ORDER BY t.no, v.recipient_no LIMIT 1 OFFSET :skip"
        ),
        {**place, "skip": limit - 1},
    ).one_or_none()
    conn.execute(
        text(
            f"{drafts.INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', v.region, :audience, :proof, 0, 'open', :due_by "
            f"{walk} ORDER BY t.no, v.recipient_no LIMIT :limit {drafts.ONCE}"
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
            f"{drafts.INSERT} SELECT :no, v.recipient_no, v.no, 'warning', '', v.region, :audience, :proof, 0, 'open', :due_by "
            "FROM target_recipient p JOIN recipient_version v ON v.recipient_no = p.recipient_no AND v.kind = 'household' "
            f"WHERE p.message_no = :no AND p.recipient_no > :after AND p.recipient_no <= :upto AND {VISIBLE} "
            f"ORDER BY p.recipient_no {drafts.ONCE}"
        ),
        {**bounds, "upto": end},
    )
    return {"point": end}
