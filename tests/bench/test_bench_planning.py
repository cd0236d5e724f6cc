"""How fast a million deliveries are planned, beside the bare insertion of as many rows. Reports; never asserts a time.

Run: pytest tests/bench/test_bench_planning.py -m bench -s
"""

import resource
import shutil
import sqlite3
import time
from pathlib import Path
from statistics import median

import pytest
from sqlalchemy import Engine, text

from channels import STRONGEST
from tests.bench.conftest import Table
from warnd.ledger import planning
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage, open_message
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import open_engine, upgrade
from warnd.model.level import Level
from warnd.model.plan import choose
from warnd.resources import shipped
from warnd.settings import load_plans

pytestmark = pytest.mark.bench

ROUNDS = 5
VILLAGES, SEATS, HOUSEHOLDS = 20_000, 3, 46  # With a loudspeaker each: 1,000,000 recipients, 60,000 of them seats.
_STAMP = Stamp(1_000_000, "bench")


def _fill(engine: Engine) -> None:
    """Make the directory by plain statements; the import has its own bench."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {VILLAGES})"
    each = SEATS + 1 + HOUSEHOLDS
    members = ", ".join(f"({k})" for k in range(each))
    kind = f"CASE WHEN k < {SEATS} THEN 'person' WHEN k = {SEATS} THEN 'terminal' ELSE 'household' END"
    statements = (
        "INSERT INTO region (code, name, tier, path, from_rev) VALUES ('P', 'P', 'province', '/P/', 1)",
        (
            f"INSERT INTO region (code, name, tier, parent, path, from_rev) {numbers} "
            "SELECT printf('V%06d', i), 'V', 'village', 'P', printf('/P/V%06d/', i), 1 FROM n"
        ),
        (
            f"INSERT INTO recipient (no, id) {numbers} SELECT i * {each} + k + 1, printf('r%d', i * {each} + k) "
            f"FROM n, (SELECT column1 AS k FROM (VALUES {members}))"
        ),
        (
            f"INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang, phone) {numbers} "
            f"SELECT i * {each} + k + 1, i * {each} + k + 1, 1, {kind}, 'N', printf('V%06d', i), 'zh', printf('+86%011d', i * {each} + k) "
            f"FROM n, (SELECT column1 AS k FROM (VALUES {members}))"
        ),
        (
            "INSERT INTO seat (version_no, role, region) SELECT no, 'information_officer', region FROM recipient_version "
            "WHERE kind = 'person'"
        ),
        "INSERT INTO meta (key, value) VALUES ('directory_rev', '1')",
    )
    with engine.begin() as conn:
        for statement in statements:
            conn.execute(text(statement))


def _open(engine: Engine) -> None:
    plans = load_plans(shipped("config") / "plans.toml", strongest=STRONGEST)
    plan = choose(plans, hazards=(), level=Level.RED, status="Actual")
    assert plan is not None
    new = NewMessage(
        id="m",
        kind="warning",
        chain_id="m",
        seq=1,
        drill=False,
        urgency=1,
        plan=plan,
        directory_rev=1,
        expires_at=10**15,
        roots=[("P", "geocode", False)],
        recipients=(),
        public=True,
    )
    with engine.begin() as conn:
        open_message(conn, new, stamp=_STAMP)


def _plan(engine: Engine) -> tuple[float, float, float]:
    """Plan everything; return seconds until the seats stand, seconds in all, and the longest transaction in milliseconds."""
    means = Means(channels=frozenset({"sms", "mqtt"}), jurisdiction=())
    began, seats_s, longest = time.perf_counter(), 0.0, 0.0
    planning_goes_on = True
    while planning_goes_on:
        start = time.perf_counter()
        with engine.begin() as conn:
            planning_goes_on = planning.step(conn, means=means, pace=Pace(), stamp=_STAMP) is not None
            stage = conn.execute(text("SELECT stage FROM message")).scalar_one()
        longest = max(longest, time.perf_counter() - start)
        if not seats_s and stage in {"audience:2", "audience:3"}:
            seats_s = time.perf_counter() - began
    return seats_s, time.perf_counter() - began, longest * 1000


def _bare(path: Path, rows: int) -> float:
    """Insert as many deliveries and legs as plain rows, one transaction, synchronous=FULL."""
    conn = sqlite3.connect(path)
    conn.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE d (no INTEGER PRIMARY KEY, a, b, c, e, s);"
    )
    began = time.perf_counter()
    conn.executemany(
        "INSERT INTO d (a, b, c, e, s) VALUES (?, ?, ?, 0, 'open')", ((n, n, "V000001") for n in range(2 * rows))
    )
    conn.commit()
    conn.close()
    return time.perf_counter() - began


def test_planning_a_million_deliveries(tmp_path: Path, table: Table) -> None:
    filled = tmp_path / "filled.sqlite"
    upgrade(f"sqlite:///{filled}")
    engine = open_engine(f"sqlite:///{filled}")
    _fill(engine)
    _open(engine)
    engine.dispose()
    seats, whole, longest, grown, bare = [], [], [], [], []
    for number in range(ROUNDS):
        shutil.copy(filled, tmp_path / f"plan{number}.sqlite")
        engine = open_engine(f"sqlite:///{tmp_path / f'plan{number}.sqlite'}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seats_s, all_s, longest_ms = _plan(engine)
        grown.append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
        with engine.begin() as conn:
            planned = conn.execute(text("SELECT count(*) FROM delivery")).scalar_one()
        engine.dispose()
        assert planned == VILLAGES * (SEATS + 1 + HOUSEHOLDS)
        bare.append(all_s / _bare(tmp_path / f"bare{number}.sqlite", planned))
        seats.append(seats_s)
        whole.append(all_s)
        longest.append(longest_ms)
        (tmp_path / f"plan{number}.sqlite").unlink()
    table.add(f"planning {planned:,} deliveries, all of them", whole, aim="<= 15 s", met=median(whole) <= 15, unit=" s")
    table.add("  as often as bare rows take", bare, aim="", met=None)
    table.add(f"  the {VILLAGES * SEATS:,} seats", seats, aim="<= 1.5 s", met=median(seats) <= 1.5, unit=" s")
    table.add("  the longest lock", longest, aim="<= 150 ms", met=median(longest) <= 150, unit=" ms")
    table.add("  memory grown", grown, aim="flat", met=max(grown) < 100, unit=" MB")
