"""Sends that serve many at once, or nobody in the directory: a region's loudspeaker topic, the public site, other systems."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger import deliveries, succession, tallies
from warnd.ledger.events import Stamp
from warnd.ledger.priority import SEATS, lane, priority
from warnd.ledger.values import dumps
from warnd.model.evidence import Evidence
from warnd.model.region import path_codes, subtree

UNSURE_MS = 5_000  # After a publish of unknown fate. Whoever reads these knows a second copy, so waiting longer would only cost time.
_GROUP = 5_000  # Below the most values that one statement takes.


def plan(
    conn: Connection,
    *,
    message: Row[Any],
    channels: Collection[str],
    targets: Mapping[str, Sequence[str]],
    loudspeakers: bool,
) -> None:
    """Make the message's publications and their legs.

    `loudspeakers` says whether the plan speaks to them at all; topics of the message's own area are made only then. A
    new version goes on every topic that carried an earlier one, so that no terminal is left with the old text; a
    Cancel goes on those only.

    `targets` are the addresses of each channel that every public message goes to. A Cancel goes also to those that may
    have got what it cancels, whatever it says of itself and whether they are still named; but one that only silences the
    topics of a chain that another took over is for loudspeakers alone.
    """
    if "mqtt" in channels:
        _plan_topics(conn, message, _root_paths(conn, message.no) if loudspeakers else {})
    if succession.taken_over(conn, message.chain_id):
        return
    for channel in sorted(targets):
        wanted = set(targets[channel]) if message.public else set()
        if message.kind == "cancel":
            wanted |= _may_have_got(conn, message, channel)
        for target in sorted(wanted):
            _publish(conn, message, channel=channel, target=target, address=target, regions=None)


def _may_have_got(conn: Connection, message: Row[Any], channel: str) -> set[str]:
    rows = conn.execute(
        text(
            "SELECT p.target FROM publication p JOIN message m ON m.no = p.message_no "
            "WHERE m.chain_id = :chain AND m.seq < :seq AND p.channel = :channel "
            f"AND {maybe_out('p.no')}"
        ),
        {"chain": message.chain_id, "seq": message.seq, "channel": channel},
    )
    return set(rows.scalars())


def maybe_out(publication_no: str) -> str:
    """Return the condition that a publication, named by an expression of SQL, may have reached its target."""
    return (
        "EXISTS (SELECT 1 FROM leg l JOIN attempt a ON a.leg_no = l.no "
        f"WHERE l.publication_no = {publication_no} AND a.state IN ('submitting', 'accepted', 'unknown'))"
    )


def _plan_topics(conn: Connection, message: Row[Any], roots: dict[str, str]) -> None:
    carried = conn.execute(
        text(
            "SELECT DISTINCT p.target, r.path FROM publication p JOIN message m ON m.no = p.message_no JOIN region r ON r.code = p.target "
            "WHERE m.chain_id = :chain AND m.seq < :seq AND p.channel = 'mqtt' ORDER BY p.target"
        ),
        {"chain": message.chain_id, "seq": message.seq},
    )
    topics = {row.target: row.path for row in carried}
    if message.kind != "cancel":
        topics |= roots
    for code in sorted(topics):
        playing = None if message.kind == "cancel" else playing_regions(topics[code], roots)
        _publish(conn, message, channel="mqtt", target=code, address=f"region:{code}", regions=playing)


def _root_paths(conn: Connection, message_no: int) -> dict[str, str]:
    rows = conn.execute(
        text(
            "SELECT r.code, r.path FROM target_root t JOIN region r ON r.code = t.code WHERE t.message_no = :no AND t.outside = 0"
        ),
        {"no": message_no},
    )
    return {row.code: row.path for row in rows}


def playing_regions(topic_path: str, roots: dict[str, str]) -> list[str] | None:
    """Return which regions among a topic's readers shall play: None = all of them, [] = nobody, all take it as a stop.

    Only roots under the topic matter to its readers, which also keeps the signed command small.
    """
    if any(topic_path.startswith(root) for root in roots.values()):
        return None
    return sorted(code for code, root in roots.items() if root.startswith(topic_path))


def _publish(
    conn: Connection, message: Row[Any], *, channel: str, target: str, address: str, regions: list[str] | None
) -> None:
    no = conn.execute(
        text(
            "INSERT INTO publication (message_no, channel, target, regions) VALUES (:no, :channel, :target, :regions) "
            "ON CONFLICT (message_no, channel, target) DO NOTHING RETURNING no"
        ),
        {
            "no": message.no,
            "channel": channel,
            "target": target,
            "regions": None if regions is None else dumps(regions),
        },
    ).scalar()
    if no is None:
        return
    conn.execute(
        text(
            "INSERT INTO leg (message_no, publication_no, channel, address, lane, step, priority, state, due_at, attempts, tries, "
            "failures, tries_max, wait_ms, repeat, token) VALUES (:no, :publication, :channel, :address, :lane, 0, :priority, 'due', "
            ":due_at, 0, 0, 0, 1, :wait_ms, 0, 0)"
        ),
        {
            "no": message.no,
            "publication": no,
            "channel": channel,
            "address": address,
            "lane": lane(channel, drill=bool(message.drill)),
            "priority": priority(message.urgency, SEATS),
            "due_at": message.released_at,
            "wait_ms": UNSURE_MS,
        },
    )


def cover(conn: Connection, *, publication_no: int, stamp: Stamp) -> None:
    """Raise the deliveries that an accepted publication serves to accepted, as one set."""
    row = conn.execute(
        text(
            "SELECT p.message_no, p.channel, p.target, p.regions, r.path FROM publication p LEFT JOIN region r ON r.code = p.target "
            "WHERE p.no = :no"
        ),
        {"no": publication_no},
    ).one()
    if row.channel != "mqtt" or row.path is None:
        return
    found = _covered(conn, message_no=row.message_no, path=row.path, regions=row.regions)
    for start in range(0, len(found), _GROUP):
        proofs = dict.fromkeys(found[start : start + _GROUP], Evidence.ACCEPTED)
        deliveries.raise_evidence(conn, proofs, stamp=stamp)
        tallies.raise_deliveries(conn, proofs, channel=row.channel)


def cover_new(conn: Connection, *, message_no: int, after: int) -> None:
    """Give deliveries numbered above `after` the acceptance of publications that went out before they were planned.

    They are not counted yet, so no counter moves.
    """
    accepted = conn.execute(
        text(
            "SELECT p.regions, r.path FROM publication p JOIN leg l ON l.publication_no = p.no AND l.state = 'done' "
            "JOIN region r ON r.code = p.target WHERE p.message_no = :no AND p.channel = 'mqtt'"
        ),
        {"no": message_no},
    )
    for row in list(accepted):
        found = _covered_among_new(conn, message_no=message_no, path=row.path, regions=row.regions, after=after)
        if found:
            conn.execute(text("UPDATE delivery SET evidence = 1 WHERE no = :no"), [{"no": no} for no in found])


def _covered(conn: Connection, *, message_no: int, path: str, regions: str | None) -> list[int]:
    """Return deliveries without evidence to terminals that read a topic at `path` and are meant by it."""
    rows = conn.execute(
        text(
            "SELECT d.no, g.path FROM region g JOIN recipient_version v ON v.region = g.code AND v.kind = 'terminal' "
            "JOIN delivery d ON d.message_no = :no AND d.recipient_no = v.recipient_no AND d.version_no = v.no "
            "WHERE g.path >= :low AND g.path < :high AND d.evidence = 0 ORDER BY d.no"
        ),
        {"no": message_no, **_bounds(path)},
    )
    return [row.no for row in rows if _meant(row.path, regions)]


def _covered_among_new(conn: Connection, *, message_no: int, path: str, regions: str | None, after: int) -> list[int]:
    """Return the same among deliveries numbered above `after`, starting from them because they are few."""
    rows = conn.execute(
        text(
            "SELECT d.no, g.path FROM delivery d JOIN recipient_version v ON v.no = d.version_no AND v.kind = 'terminal' "
            "JOIN region g ON g.code = d.region WHERE +d.message_no = :no AND d.no > :after AND d.evidence = 0 "
            "AND g.path >= :low AND g.path < :high ORDER BY d.no"
        ),
        {"no": message_no, "after": after, **_bounds(path)},
    )
    return [row.no for row in rows if _meant(row.path, regions)]


def _bounds(path: str) -> dict[str, str]:
    low, high = subtree(path)
    return {"low": low, "high": high}


def _meant(path: str, regions: str | None) -> bool:
    """Say whether a command with these regions (JSON; None = all, [] = a stop for all) speaks to a terminal at `path`."""
    named = [] if regions is None else json.loads(regions)
    return not named or bool(set(path_codes(path)) & set(named))


def reopen(conn: Connection, *, channel: str, drill: bool, now_ms: int) -> int:
    """Make the publications of open messages due again, after a broker came back without its memory; return how many."""
    done = conn.execute(
        text(
            "UPDATE leg SET state = 'due', due_at = :now WHERE publication_no IS NOT NULL AND lane = :lane AND state = 'done' "
            "AND message_no IN (SELECT no FROM message WHERE closed_as IS NULL)"
        ),
        {"lane": lane(channel, drill=drill), "now": now_ms},
    )
    return done.rowcount
