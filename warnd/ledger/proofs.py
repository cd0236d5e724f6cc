"""What a group of receipts proves together, and the one table in which every receipt is kept as it came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.model.evidence import Evidence

_INSERT = text(
    "INSERT INTO receipt (channel, kind, key, attempt, leg_no, number, delivery_no, evidence, failed, part, parts, reason, at, "
    "received_at, raw, reference, address) VALUES (:channel, :kind, :key, :attempt, :leg_no, :number, :delivery_no, :evidence, :failed, "
    ":part, :parts, :reason, :at, :received_at, :raw, :reference, :address) ON CONFLICT (channel, key) DO NOTHING"
)
_NOTHING: Mapping[str, Any] = dict.fromkeys(
    ("attempt", "leg_no", "number", "delivery_no", "part", "parts", "reason", "at", "reference", "address")
)


@dataclass(slots=True)
class Group:
    """What one group of receipts amounts to: proofs by delivery and by leg, and matched reports by message for the record.

    Attributes:
        delays_ms: By (lane, sender): how long delivery reports took after acceptance.
    """

    proofs: dict[int, Evidence] = field(default_factory=dict)
    legs: dict[int, Evidence] = field(default_factory=dict)
    matched: dict[str, list[list[Any]]] = field(default_factory=dict)
    delays_ms: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def prove(self, delivery_no: int, evidence: Evidence, *, legs: Iterable[int]) -> None:
        """Join one proof, which came by these legs."""
        self.proofs[delivery_no] = max(self.proofs.get(delivery_no, Evidence.NONE), evidence)
        for leg_no in legs:
            self.legs[leg_no] = max(self.legs.get(leg_no, Evidence.NONE), evidence)


def keep(conn: Connection, receipt: Mapping[str, Any], *, stamp: Stamp) -> bool:
    """Keep one receipt, its columns by name; False if it is a second copy of one that is kept."""
    return conn.execute(_INSERT, {**_NOTHING, **receipt, "received_at": stamp.now_ms}).rowcount == 1


def tell_stranger(conn: Connection, channel: str, what: str, *, stamp: Stamp) -> None:
    """Record a receipt that fits nothing we sent; `what` is an attempt id, a provider's reference or a hash, never an address."""
    events.append(
        conn, stamp=stamp, kind="receipt.unmatched", message_id=None, data={"channel": channel, "receipt": what}
    )
