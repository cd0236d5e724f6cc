"""What looking for reports that came first costs the sending: 10,000 accepted outcomes with references. Reports; never asserts a time.

Run: pytest tests/bench/test_bench_references.py -m bench -s
"""

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.fakes.released import NOW, STAMP, TAG
from tests.stores import store_url
from warnd.channel import Accepted, Report
from warnd.ledger import outcomes, receipts
from warnd.ledger.outcomes import Tried
from warnd.ledger.store import open_engine, upgrade
from warnd.model.evidence import Evidence

pytestmark = pytest.mark.bench

TRIES, GROUP = 10_000, 500


def _fill(engine: Engine) -> None:
    """Make as many households under way by plain statements."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {TRIES})"
    statements = (
        (
            "INSERT INTO message (no, id, kind, drill, urgency, plan, directory_rev, stage, cursor, released_at, expires_at, chain_id, "
            "seq, terminal_rule, bare_rule, public) "
            "VALUES (1, 'm', 'warning', 0, 1, '{}', 1, 'planned', '{}', 0, 1e15, 'm', 1, 'both', 'officer', 1)"
        ),
        (
            "INSERT INTO delivery (no, message_no, recipient_no, version_no, purpose, subject, region, audience, proof, evidence, state) "
            f"{numbers} SELECT i, 1, i, i, 'warning', '', 'V' || (i / 50), 3, 1, 0, 'open' FROM n"
        ),
        (
            "INSERT INTO leg (no, message_no, delivery_no, channel, address, lane, step, priority, state, due_at, attempts, tries, "
            f"failures, tries_max, wait_ms, repeat, token, owner, lease_until) {numbers} SELECT i, 1, i, 'sms', "
            f"printf('+86%011d', i), 'sms', 0, 120, 'submitting', 0, 1, 0, 0, 1, 60000, 0, 1, 'writer', {NOW + 60_000} FROM n"
        ),
        (
            "INSERT INTO attempt (leg_no, number, state, repeat, parts, submitted_at) "
            f"{numbers} SELECT i, 1, 'submitting', 0, 1, {NOW} FROM n"
        ),
    )
    with engine.begin() as conn:
        for statement in statements:
            conn.execute(text(statement))


def _record(engine: Engine, *, look: bool) -> float:
    began = time.perf_counter()
    for start in range(1, TRIES + 1, GROUP):
        tried = [Tried(no, 1, 1, Accepted(f"smpp:{no:08x}"), 1, 0.5) for no in range(start, start + GROUP)]
        with engine.begin() as conn:
            learned = outcomes.record(conn, tried, stamp=STAMP)
            if look:
                receipts.catch_up(conn, learned, tag=TAG, stamp=STAMP)
    return time.perf_counter() - began


@pytest.mark.parametrize("early", [0, TRIES // 10, TRIES])
def test_recording_references(tmp_path: Path, early: int) -> None:
    seconds = {}
    for look in (False, True):
        url = store_url(tmp_path, str(look))
        upgrade(url)
        engine = open_engine(url)
        _fill(engine)
        reports = [Report("sms", None, Evidence.DELIVERED, reference=f"smpp:{no:08x}") for no in range(1, early + 1)]
        with engine.begin() as conn:
            receipts.apply(conn, [receipts.Arrived(one, 0.5) for one in reports], tag=TAG, stamp=STAMP)
        seconds[look] = _record(engine, look=look)
        engine.dispose()
    print(  # noqa: T201 - the report is the point
        f"\n{TRIES:,} outcomes: {seconds[False]:.2f} s without looking, {seconds[True]:.2f} s with it, {early:,} reports waiting"
    )


def test_reports_about_one_batch(tmp_path: Path) -> None:
    """One reference for 1,000 numbers, each reported by its address."""
    url = store_url(tmp_path, "batch")
    upgrade(url)
    engine = open_engine(url)
    _fill(engine)
    with engine.begin() as conn:
        conn.execute(text("UPDATE attempt SET state = 'accepted', reference = 'http:' || (leg_no / 1000)"))
    began = time.perf_counter()
    for start in range(1, TRIES + 1, GROUP):
        reports = [
            Report("sms", None, Evidence.DELIVERED, reference=f"http:{no // 1000}", address=f"+86{no:011d}")
            for no in range(start, start + GROUP)
        ]
        with engine.begin() as conn:
            receipts.apply(conn, [receipts.Arrived(one, 0.5) for one in reports], tag=TAG, stamp=STAMP)
    seconds = time.perf_counter() - began
    with engine.begin() as conn:
        assert conn.execute(text("SELECT count(*) FROM receipt WHERE leg_no IS NULL")).scalar_one() == 0
    engine.dispose()
    print(f"\n{TRIES:,} reports about batches of 1,000: {seconds:.2f} s")  # noqa: T201 - the report is the point
