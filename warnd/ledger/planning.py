"""From message to deliveries and legs, in resumable chunks.

Each chunk is one short transaction: what it makes, the counters and the cursor are committed together, so that a crash between two chunks
loses nothing and repeats nothing. A message passes the stages publications, targets, audience:0, audience:1 …, carry, subscribers and is
then planned (a Cancel has only publications, carry and subscribers); within a stage rows are made in the order in which they will be
claimed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from warnd.ledger import audiences, carrying, messages, publications, subscribers, targets, villages
from warnd.ledger.events import Stamp
from warnd.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one chunk may do, so that its transaction holds the write lock for at most about 150 ms.

    Attributes:
        regions: Regions expanded, or walked for seats and terminals, in one chunk.
        rows: Deliveries to the public, or carried over, in one chunk.
    """

    regions: int = 2_000
    rows: int = 4_000

    def part(self, of: int) -> "Pace":
        """Return a pace for chunks that are so many times smaller."""
        return Pace(regions=max(1, self.regions // of), rows=max(1, self.rows // of))


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
        left = audiences.plan(
            conn,
            message,
            plan,
            index=int(index),
            cursor=cursor,
            channels=means.channels,
            regions=pace.regions,
            rows=pace.rows,
            stamp=stamp,
        )
        return (message.stage, left) if left else (f"audience:{int(index) + 1}", {})
    if stage == "subscribers":
        rows = max(1, pace.rows // 2)  # Each browser is a publication and a leg.
        left = subscribers.plan(conn, message=message, cursor=cursor, regions=pace.regions, rows=rows)
        return ("subscribers", left) if left else ("planned", {})
    left = carrying.carry(conn, message, plan, cursor=cursor, channels=means.channels, limit=pace.rows)
    if left:
        return "carry", left
    return ("subscribers" if "push" in means.channels else "planned"), {}
