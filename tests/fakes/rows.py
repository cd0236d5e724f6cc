"""Rows put straight into a ledger, for tests of what is read from it. Each method gives what it made; anything may be overridden."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table

from tests.fakes.clock import START
from warnd.ledger import schema
from warnd.ledger.values import to_ms
from warnd.model import cap
from warnd.model.gazetteer import keys
from warnd.model.level import Level

RELEASED = to_ms(START)
EXPIRES = to_ms(START + timedelta(hours=6))
COUNTY = "990101000000"


class Rows:
    """Makes rows on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def insert(self, table: Table, **values: Any) -> int:
        """Insert one row; return its number where it has one."""
        made = self._conn.execute(table.insert().values(**values))
        key = made.inserted_primary_key
        return int(key[0]) if key is not None and "no" in table.c else 0

    def region(self, code: str, name: str, *, tier: str, parent: str | None = None, path: str | None = None) -> str:
        """Add a region; return its path."""
        above = "/"
        if parent is not None:
            above = self._conn.execute(schema.region.select().where(schema.region.c.code == parent)).one().path
        where = path or f"{above}{code}/"
        self.insert(schema.region, code=code, name=name, tier=tier, parent=parent, path=where, from_rev=1)
        for key in keys((name,)):
            self.insert(schema.region_name, key=key, code=code)
        return where

    def county(self, *, townships: int = 2, villages: int = 3) -> list[str]:
        """Add a county with townships and villages; return the villages' codes in order."""
        self.insert(schema.meta, key="directory_rev", value="1")
        self.region(COUNTY, "青河县", tier="county")
        found = []
        for township in range(1, townships + 1):
            above = f"990101{township:03}000"
            self.region(above, f"第{township}乡", tier="township", parent=COUNTY)
            for village in range(1, villages + 1):
                found.append(f"990101{township:03}{village:03}")
                self.region(found[-1], f"{township}-{village}村", tier="village", parent=above)
        return found

    def recipient(
        self, id_: str, region: str, *, kind: str = "person", seats: tuple[tuple[str, str], ...] = (), **more: Any
    ) -> int:
        """Add a recipient as it stands from revision 1; return its number."""
        no = self.insert(schema.recipient, id=id_)
        values = {"from_rev": 1, "name": id_, "lang": "zh", **more}
        version = self.insert(schema.recipient_version, recipient_no=no, kind=kind, region=region, **values)
        for role, place in seats:
            self.insert(schema.seat, version_no=version, role=role, region=place)
        return no

    def terminal(self, id_: str, region: str, *, online: bool | None = True, seen: int = RELEASED, **more: Any) -> int:
        """Add a loudspeaker; `online` None = it was never seen."""
        no = self.recipient(id_, region, kind="terminal")
        if online is not None:
            state = {"drill": 0, "since": seen, "last_seen": seen, "heartbeat_s": 60, **more}
            self.insert(schema.terminal_state, terminal=id_, online=int(online), **state)
        return no

    def warning(
        self, id_: str, alert: cap.Alert, *, state: str = "dispatching", level: Level | None = Level.RED, **more: Any
    ) -> int:
        """Add a warning; return its number. It was released unless it waits."""
        waits = state in {"held", "in_review", "rejected", "quarantined"}
        values: dict[str, Any] = {
            "chain_id": id_,
            "seq": 1,
            "sender": alert.sender,
            "identifier": f"{alert.identifier}-{id_}",
            "sent": to_ms(alert.sent),
            "status": alert.status,
            "msg_type": alert.msg_type,
            "scope": alert.scope,
            "level": level and int(level),
            "event": alert.infos[0].event if alert.infos else "",
            "headline": (alert.infos[0].headline if alert.infos else None) or "",
            "expires": EXPIRES,
            "refs": "[]",
            "reasons": "[]",
            "approvals": "[]",
            "content_hash": "0" * 64,
            "document": cap.write(alert),
            "received_at": RELEASED,
            "released_at": None if waits else RELEASED,
            "source": "token:1",
        }
        return self.insert(schema.warning, id=id_, state=state, **(values | more))

    def message(self, id_: str, **more: Any) -> int:
        """Add the message of a warning; return its number."""
        values: dict[str, Any] = {
            "kind": "warning",
            "drill": 0,
            "urgency": 1,
            "plan": "{}",
            "directory_rev": 1,
            "stage": "planned",
            "cursor": "{}",
            "released_at": RELEASED,
            "expires_at": EXPIRES,
            "chain_id": id_,
            "seq": 1,
            "terminal_rule": "both",
            "bare_rule": "officer_and_door",
            "village_due_by": None,
            "public": 1,
        }
        return self.insert(schema.message, id=id_, **(values | more))

    def target(self, message: int, code: str, **more: Any) -> int:
        """Add a targeted village, silent unless told otherwise."""
        path = self._conn.execute(schema.region.select().where(schema.region.c.code == code)).one().path
        values: dict[str, Any] = {"tier": "village", "ancestor": 0, "path": path, "has_terminal": 1, "has_officer": 1}
        return self.insert(schema.target, message_no=message, code=code, **(values | more))

    def tally(self, message: int, region: str, *, targeted: int, confirmed: int = 0, late: int = 0) -> None:
        """Add a village tally."""
        self.insert(
            schema.village_tally, message_no=message, region=region, targeted=targeted, confirmed=confirmed, late=late
        )

    def counter(self, message: int, *, evidence: int, state: str, n: int, region: str = "") -> None:
        """Add a counter."""
        self.insert(schema.counter, message_no=message, region=region, evidence=evidence, state=state, n=n)

    def delivery(
        self, message: int, recipient: int, region: str, *, state: str = "open", evidence: int = 0, **more: Any
    ) -> int:
        """Add a delivery; return its number."""
        values: dict[str, Any] = {
            "version_no": recipient,
            "purpose": "warning",
            "subject": "",
            "audience": 0,
            "proof": 4,
        }
        return self.insert(
            schema.delivery,
            message_no=message,
            recipient_no=recipient,
            region=region,
            state=state,
            evidence=evidence,
            **(values | more),
        )

    def leg(self, message: int, *, delivery: int | None = None, publication: int | None = None, **more: Any) -> int:
        """Add a leg; return its number."""
        values: dict[str, Any] = {
            "channel": "sms",
            "address": "+8613812345621",
            "lane": "sms",
            "step": 0,
            "priority": 0,
            "state": "waiting",
            "due_at": RELEASED + 100_000,
            "tries": 1,
            "failures": 0,
            "tries_max": 3,
            "wait_ms": 100_000,
            "attempts": 1,
            "repeat": 0,
            "token": 1,
        }
        return self.insert(
            schema.leg, message_no=message, delivery_no=delivery, publication_no=publication, **(values | more)
        )

    def attempt(self, leg: int, number: int = 1, **more: Any) -> int:
        """Add an attempt of a leg; return its number."""
        values: dict[str, Any] = {"state": "accepted", "repeat": 0, "parts": 1, "submitted_at": RELEASED + 1_000}
        return self.insert(schema.attempt, leg_no=leg, number=number, **(values | more))

    def said(self, terminal: str, message_id: str, stage: str, *, n: int, at: int, **more: Any) -> None:
        """Add a loudspeaker's receipt."""
        values: dict[str, Any] = {
            "drill": 0,
            "boot_id": "b1",
            "seq": 1,
            "pass_done": 0,
            "played_ms": 0,
            "amplifier": "ok",
        }
        self.insert(
            schema.terminal_receipt,
            terminal=terminal,
            message_id=message_id,
            stage=stage,
            n=n,
            received_at=at,
            **(values | more),
        )

    def happened(self, message_id: str, kind: str, *, seq: int, data: dict[str, Any] | None = None) -> int:
        """Add an event; return its number."""
        values = {"writer": "w", "prev": "", "hash": "", "at": RELEASED}
        return self.insert(
            schema.event, seq=seq, kind=kind, message_id=message_id, data=json.dumps(data or {}), **values
        )

    def spoil(self, table: str, **values: Any) -> None:
        """Overwrite columns of every row of a table."""
        self._conn.execute(schema.metadata.tables[table].update().values(**values))
