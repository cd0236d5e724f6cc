"""What a group of receipts proves together, and the one table in which every receipt is kept as it came."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from warnd.ledger import events, tallies
from warnd.ledger.each import execute_each
from warnd.ledger.events import Stamp
from warnd.model.evidence import Evidence

_NUMBERS = ("leg_no", "number", "delivery_no", "part", "parts", "at")  # A group may have nothing but NULL there.
_INSERT = (
    "INSERT INTO receipt (channel, kind, key, attempt, evidence, failed, reason, received_at, raw, reference, address, "
    f"{', '.join(_NUMBERS)}) SELECT :channel, :kind, :key, :attempt, :evidence, :failed, :reason, :received_at, :raw, :reference, "
    f":address, {', '.join(f'CAST(:{name} AS BIGINT)' for name in _NUMBERS)} "
    "FROM (SELECT 1 AS one) AS once WHERE one = 1 ON CONFLICT (channel, key) DO NOTHING"
)
_LAST = text("SELECT max(no) FROM receipt")
_SINCE = text("SELECT channel, key FROM receipt WHERE no > :before")
_NOTHING: Mapping[str, Any] = dict.fromkeys(
    ("attempt", "leg_no", "number", "delivery_no", "part", "parts", "reason", "at", "reference", "address")
)


@dataclass(slots=True)
class Group:
    """What one group of receipts amounts to: proofs by delivery and by leg, and matched reports by message for the record.

    Attributes:
        delays_ms: By (lane, sender): how long delivery reports took after acceptance.
        standings: By leg, where that is known, how it stood before.
        timely: Deliveries that are known to be of messages that nothing has withdrawn.
    """

    proofs: dict[int, Evidence] = field(default_factory=dict)
    legs: dict[int, Evidence] = field(default_factory=dict)
    matched: dict[str, list[list[Any]]] = field(default_factory=dict)
    delays_ms: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    standings: dict[int, tallies.Standing] = field(default_factory=dict)
    timely: set[int] = field(default_factory=set)

    def prove(self, delivery_no: int, evidence: Evidence, *, legs: Iterable[int]) -> None:
        """Join one proof, which came by these legs."""
        self.proofs[delivery_no] = max(self.proofs.get(delivery_no, Evidence.NONE), evidence)
        for leg_no in legs:
            self.legs[leg_no] = max(self.legs.get(leg_no, Evidence.NONE), evidence)


def keep(conn: Connection, receipt: Mapping[str, Any], *, stamp: Stamp) -> bool:
    """Keep one receipt, its columns by name; False if it is a second copy of one that is kept."""
    return keep_all(conn, [{**_NOTHING, **receipt}], stamp=stamp)[0]


def keep_all(conn: Connection, receipts: Sequence[Mapping[str, Any]], *, stamp: Stamp) -> list[bool]:
    """Keep a group of receipts, each with all of the columns, and say of each whether it is the first copy."""
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    fresh = [first.setdefault((one["channel"], one["key"]), one) is one for one in receipts]
    before = conn.execute(_LAST).scalar() or 0
    kept = execute_each(conn, _INSERT, [{**one, "received_at": stamp.now_ms} for one in first.values()])
    if kept == len(first):  # Hardly ever is there a copy of one that was kept before.
        return fresh
    new = {(row.channel, row.key) for row in conn.execute(_SINCE, {"before": before})}
    return [one and (told["channel"], told["key"]) in new for one, told in zip(fresh, receipts, strict=True)]


def tell_stranger(conn: Connection, channel: str, what: str, *, stamp: Stamp) -> None:
    """Record a receipt that fits nothing we sent; `what` is an attempt id, a provider's reference or a hash, never an address."""
    events.append(
        conn, stamp=stamp, kind="receipt.unmatched", message_id=None, data={"channel": channel, "receipt": what}
    )
