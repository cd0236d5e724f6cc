"""The rows in which all workers share what they know of a lane's senders.

Outcomes and reports change them in groups, within the transaction that records them: a row for each sender, never one for each message.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome
from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.schema import STANDING
from warnd.model import sender as model
from warnd.model.sender import Standing, Told

Key = tuple[str, str]
"""(lane, sender); the sender is "" where the channel has but one, of which nothing is learned but how long it wants to be left alone."""

_COLUMNS = ", ".join((*STANDING, "cause"))
_STANDINGS = text(f"SELECT sender, {_COLUMNS} FROM sender_state WHERE lane = :lane ORDER BY sender")
# An UPDATE that changes nothing holds the row until the end of the transaction on every kind of store.
_HELD = text(
    f"UPDATE sender_state SET turn = turn WHERE lane = :lane AND sender = :sender RETURNING credit, credited_at, {_COLUMNS}"
)
_SAVE = text(
    f"UPDATE sender_state SET {', '.join(f'{name} = :{name}' for name in (*STANDING, 'cause'))} "
    "WHERE lane = :lane AND sender = :sender"
)
_ENROL = text(
    f"INSERT INTO sender_state (lane, sender, credit, credited_at, {', '.join(STANDING)}) "
    f"VALUES (:lane, :sender, :credit, :now, {', '.join('0' for _ in STANDING)}) ON CONFLICT DO NOTHING"
)


def enrol(conn: Connection, *, lane: str, sender: str, credit: int, now_ms: int) -> None:
    """Make the row of a sender, which begins with so many thousandths of a segment; nothing happens to one that is there."""
    conn.execute(_ENROL, {"lane": lane, "sender": sender, "credit": credit, "now": now_ms})


def standings(conn: Connection, *, lane: str) -> dict[str, Standing]:
    """Return how the senders of a lane fare, those that are not set any more as well; one never used yet may be missing."""
    return {row.sender: standing(row) for row in conn.execute(_STANDINGS, {"lane": lane})}


def standing(row: Row[Any]) -> Standing:
    """Return what a row says."""
    return Standing(**{name: getattr(row, name) for name in STANDING}, cause=row.cause)


def held(conn: Connection, *, lane: str, sender: str) -> Row[Any] | None:
    """Return the row of a sender, which nobody else changes before this transaction ends; None if there is none."""
    return conn.execute(_HELD, {"lane": lane, "sender": sender}).one_or_none()


def save(conn: Connection, key: Key, standing: Standing) -> None:
    """Write how a sender fares."""
    conn.execute(_SAVE, {"lane": key[0], "sender": key[1], **asdict(standing)})


def learn(conn: Connection, outcomes: Iterable[tuple[Key, int, Outcome]], *, stamp: Stamp) -> None:
    """Take in what tries said of their senders: (key, leg number, outcome) of each, in their order."""
    told: defaultdict[Key, list[Told]] = defaultdict(list)
    for key, leg_no, outcome in outcomes:
        if key[1] or _throttled(outcome):
            told[key].append(_told(leg_no, outcome))
    for key in sorted(told):
        before = _known(conn, key, stamp=stamp)
        after = model.learned(before, told[key], stamp.now_ms)
        save(conn, key, after)
        _tell(conn, key, before, after, stamp=stamp)


def _throttled(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.retry == "throttled" and bool(outcome.retry_after_s)


def _told(leg_no: int, outcome: Outcome) -> Told:
    if isinstance(outcome, Accepted):
        return Told(leg_no, "good")
    if not isinstance(outcome, Failed):
        return Told(leg_no, "bad", cause=outcome.reason)
    if outcome == NOT_STARTED:
        return Told(leg_no, "nothing")
    if outcome.retry == "throttled":
        pause_ms = None if outcome.retry_after_s is None else int(outcome.retry_after_s * 1000)
        return Told(leg_no, "throttled", pause_ms, cause=outcome.reason)
    return Told(leg_no, "good" if outcome.retry == "permanent" else "bad", cause=outcome.reason)


def heard(conn: Connection, delays_ms: Mapping[Key, Sequence[int]], *, stamp: Stamp) -> None:
    """Take in how long delivery reports took after acceptance."""
    for key in sorted(delays_ms):
        save(conn, key, model.heard(_known(conn, key, stamp=stamp), delays_ms[key], stamp.now_ms))


def _known(conn: Connection, key: Key, *, stamp: Stamp) -> Standing:
    lane, sender = key
    row = held(conn, lane=lane, sender=sender)
    if row is None:
        enrol(conn, lane=lane, sender=sender, credit=0, now_ms=stamp.now_ms)
        row = held(conn, lane=lane, sender=sender)
    assert row is not None, "it was just made"
    return standing(row)


def _tell(conn: Connection, key: Key, before: Standing, after: Standing, *, stamp: Stamp) -> None:
    """Record that a breaker opened or closed; single tries after a rest are no news."""
    if (before.rests > 0) == (after.rests > 0):
        return
    kind = "sender.rests" if after.rests else "sender.back"
    data = {"lane": key[0], "sender": key[1], "cause": after.cause}
    events.append(conn, stamp=stamp, kind=kind, message_id=None, data=data)


def usable(known: Mapping[str, Standing], names: Collection[str], now_ms: int) -> set[str]:
    """Return which of these senders are neither resting nor pausing; one of which nothing is known is fine."""
    return {name for name in names if name not in known or not model.waits_ms(known[name], now_ms)}
