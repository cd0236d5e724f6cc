"""A centre that has asked one officer to confirm a flood by mail: the daemon's own recorder takes the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from tests.fakes.web_centre import Centre, after, centre, flood
from warnd.channel import Accepted
from warnd.ledger import claims, outcomes, planning
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.node import attempt_id
from warnd.ledger.outcomes import Tried
from warnd.ledger.planning import Means, Pace
from warnd.ledger.values import to_ms
from warnd.model.answer import token

KEY = bytes(range(32))
VILLAGE, SECOND = "990101001001", "990101001002"
HELD = (("information_officer", VILLAGE), ("information_officer", SECOND))


@dataclass
class Asked:
    """The centre, the warning, and the way to its officer's page.

    Attributes:
        path: `/a/<token>` of the first mail.
    """

    built: Centre
    warning_id: str
    claimed: Claimed
    path: str

    async def one(self, statement: str, **values: Any) -> Any:
        """Return the only column of the only row."""

        def op(conn: Connection) -> Any:
            return conn.execute(text(statement), values).scalar_one()

        return await self.built.ledger.read(op)

    async def evidence(self) -> int:
        """Return what is proved of the officer's delivery."""
        found: int = await self.one(
            "SELECT d.evidence FROM delivery d JOIN leg l ON l.delivery_no = d.no WHERE l.no = :no",
            no=self.claimed.leg_no,
        )
        return found

    async def cancel(self) -> None:
        """Take the warning back."""
        await self.built.release(after("flood-1-C", "Cancel", "flood-1"))


@asynccontextmanager
async def asked(folder: Path, *, name: str = "王小明", drill: bool = False) -> AsyncIterator[Asked]:
    """Release a flood (or an exercise) to an officer of two villages who has a mail address, and claim the mail."""
    async with centre(folder) as built, asyncio.TaskGroup() as group:
        recording = group.create_task(built.daemon.recorder.run())
        reached = {"email": "wang@qinghe.example", "phone": "+8613800000000", "name": name}
        await built.rows(lambda rows: rows.recipient("officer", VILLAGE, kind="person", seats=HELD, **reached))
        warning_id = await built.release(flood())
        if drill:  # What makes a message a drill; the lanes and keys of drills have tests of their own.
            await built.ledger.write(_as_drill)
        claimed = await built.ledger.write(_mailed, now_ms=to_ms(built.clock.now()))
        attempt = attempt_id("tag", claimed.leg_no, claimed.number)
        yield Asked(built, warning_id, claimed, f"/a/{token(KEY, attempt)}")
        recording.cancel()


def _as_drill(conn: Connection) -> None:
    conn.execute(text("UPDATE message SET drill = 1"))


def _mailed(conn: Connection, *, now_ms: int) -> Claimed:
    stamp = Stamp(now_ms, "writer")
    conn.execute(text("""UPDATE message SET plan = replace(plan, '["sms"]', '["email","sms"]')"""))
    while planning.step(
        conn, means=Means(channels=frozenset({"sms", "email"}), jurisdiction=()), pace=Pace(), stamp=stamp
    ):
        pass
    both = [
        one
        for lane in ("email", "email:drill", "sms", "sms:drill")
        for one in claims.claim(conn, lane=lane, limit=10, lease_ms=60_000, stamp=stamp)
    ]
    tried = [Tried(one.leg_no, one.number, one.token, Accepted(), 1, 0.5) for one in both]
    outcomes.record(conn, tried, stamp=stamp)
    return next(one for one in both if one.channel == "email")
