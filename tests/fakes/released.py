"""A county's store with one released message, made straight through the ledger: for tests of what receipts and outcomes do to rows."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from channels import STRONGEST
from tests.fakes.manual_clock import ManualClock
from tests.simulation.county import VILLAGES, found
from tests.simulation.virtual import START
from tests.stores import store_url
from warnd.ledger import claims, messages, planning
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import open_engine
from warnd.ledger.values import to_ms
from warnd.model.level import Level
from warnd.model.plan import Plan, choose
from warnd.resources import shipped
from warnd.settings import load_plans

VILLAGE = VILLAGES[0]
NOW = to_ms(START)
STAMP = Stamp(NOW, "writer")
TAG = "tag"


def founded(folder: Path) -> Engine:
    """Return the store of the county, nothing released in it."""
    url = store_url(folder)
    found(url, folder, clock=ManualClock(START))
    return open_engine(url)


def plan_of(level: Level) -> Plan:
    """Return the shipped plan of a flood of this level."""
    plans = load_plans(shipped("config") / "plans.toml", strongest=STRONGEST)
    plan = choose(plans, hazards=("洪水",), level=level, status="Actual")
    assert plan is not None
    return plan


def release(
    conn: Connection, level: Level, *, public: bool = False, village: str = VILLAGE, name: str = "alert"
) -> int:
    """Release a message for one village and plan it whole; return its number."""
    new = NewMessage(
        id=name,
        kind="warning",
        chain_id=name,
        seq=1,
        drill=False,
        urgency=int(level),
        plan=plan_of(level),
        directory_rev=2,
        expires_at=to_ms(START + timedelta(hours=6)),
        roots=[(village, "geocode", False)],
        recipients=[],
        public=public,
    )
    no = messages.open_message(conn, new, stamp=STAMP)
    means = Means(channels=frozenset({"sms", "mqtt"}), jurisdiction=())
    while planning.step(conn, means=means, pace=Pace(), stamp=STAMP):
        pass
    return no


def claim_all(conn: Connection, *lanes: str) -> list[Claimed]:
    """Claim whatever is due."""
    return [
        one
        for lane in lanes or ("sms", "mqtt")
        for one in claims.claim(conn, lane=lane, limit=1_000, lease_ms=60_000, stamp=STAMP)
    ]
