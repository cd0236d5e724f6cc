"""Planning in chunks: stopped between any two of them, it ends with the same deliveries as without a stop, and nothing twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from channels import STRONGEST
from tests import invariants
from tests.fakes.manual_clock import ManualClock
from tests.simulation.county import COUNTY, TOWNSHIPS, VILLAGES, found, recipients_csv
from tests.simulation.virtual import START
from tests.stores import store_url
from warnd.channel import Accepted
from warnd.intake.importing.door import Door
from warnd.intake.importing.run import import_recipients
from warnd.intake.importing.summary import Options
from warnd.ledger import claims, directory, messages, outcomes, planning
from warnd.ledger.events import Stamp
from warnd.ledger.messages import NewMessage
from warnd.ledger.outcomes import Tried
from warnd.ledger.planning import Means, Pace
from warnd.ledger.store import open_engine
from warnd.ledger.values import to_ms
from warnd.model.level import Level
from warnd.model.plan import Plan, choose
from warnd.resources import shipped
from warnd.settings import load_plans

NOW = to_ms(START)
STAMP = Stamp(NOW, "writer")
MEANS = Means(channels=frozenset({"sms", "mqtt", "web"}), jurisdiction=(), publications={"web": ("site",)})
SMALLEST = Pace(regions=1, rows=1)
_PLANNED = (
    "SELECT m.id, r.id, d.purpose, d.region, d.audience, d.proof, d.evidence, d.state, d.due_by, l.channel, l.address, l.lane, "
    "l.step, l.priority, l.state, l.due_at, l.tries_max FROM delivery d JOIN message m ON m.no = d.message_no "
    "JOIN recipient r ON r.no = d.recipient_no LEFT JOIN leg l ON l.delivery_no = d.no WHERE m.no = :no ORDER BY 1, 2, 10"
)
_TARGETED = "SELECT code, tier, ancestor, has_terminal, has_officer FROM target WHERE message_no = :no ORDER BY code"


def _plan() -> Plan:
    plans = load_plans(shipped("config") / "plans.toml", strongest=STRONGEST)
    plan = choose(plans, hazards=("洪水",), level=Level.RED, status="Actual")
    assert plan is not None
    return plan


def _store(folder: Path) -> Engine:
    folder.mkdir()
    url = store_url(folder)
    found(url, folder, clock=ManualClock(START))
    return open_engine(url)


def _open(conn: Connection, *, id_: str, roots: tuple[str, ...], seq: int = 1, kind: str = "warning") -> int:
    new = NewMessage(
        id=id_,
        kind=kind,
        chain_id="alert",
        seq=seq,
        drill=False,
        urgency=0 if kind == "cancel" else 1,
        plan=_plan(),
        directory_rev=directory.revision(conn),
        expires_at=to_ms(START + timedelta(hours=6)),
        roots=[(code, "geocode", False) for code in roots],
        recipients=[],
        public=True,
    )
    return messages.open_message(conn, new, stamp=STAMP)


def _send(conn: Connection) -> None:
    """Let everything that is due go out and be taken."""
    for lane in ("sms", "mqtt", "web"):
        taken = claims.claim(conn, lane=lane, limit=1_000, lease_ms=60_000, stamp=STAMP)
        outcomes.record(conn, [Tried(c.leg_no, c.number, c.token, Accepted(), 1, 0.5) for c in taken], stamp=STAMP)


def _step(engine: Engine, pace: Pace) -> bool:
    """Make one chunk in a transaction of its own, as after a restart."""
    with engine.begin() as conn:
        return planning.step(conn, means=MEANS, pace=pace, stamp=STAMP) is not None


def _picture(engine: Engine, no: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with engine.begin() as conn:
        invariants.counters_tell_the_truth(conn)
        planned = [tuple(row) for row in conn.execute(text(_PLANNED), {"no": no})]
        return planned, [tuple(row) for row in conn.execute(text(_TARGETED), {"no": no})]


def _story(engine: Engine, *, pace: Pace, end: str) -> list[object]:
    """Plan an Alert and what ends or replaces it; return what was planned for each."""
    pictures: list[object] = []
    with engine.begin() as conn:
        first = _open(conn, id_="alert", roots=(COUNTY,))
    while _step(engine, pace):
        pass
    pictures.append(_picture(engine, first))
    with engine.begin() as conn:
        _send(conn)
        messages.close(conn, message_id="alert", closed_as="withdrawn", stamp=STAMP)
        roots = (TOWNSHIPS[0],) if end == "warning" else ()
        second = _open(conn, id_="end", roots=roots, seq=2, kind=end)
    while _step(engine, pace):
        with engine.begin() as conn:
            if conn.execute(text("SELECT stage FROM message WHERE no = :no"), {"no": second}).scalar_one() == "planned":
                break
    pictures.append(_picture(engine, second))
    with engine.begin() as conn:
        invariants.deliveries_are_what_was_asked(conn)
        invariants.whoever_heard_is_told_of_the_end(conn)
    return pictures


@pytest.mark.parametrize("end", ["warning", "cancel"])
def test_a_stop_between_any_two_chunks_changes_nothing(tmp_path: Path, end: str) -> None:
    whole, pieces, thirds = (_store(tmp_path / name) for name in ("whole", "pieces", "thirds"))
    expected = _story(whole, pace=Pace(), end=end)
    assert _story(pieces, pace=SMALLEST, end=end) == expected
    assert _story(thirds, pace=Pace(regions=3, rows=7), end=end) == expected
    for engine in (whole, pieces, thirds):
        engine.dispose()


def test_seats_are_planned_before_loudspeakers_before_the_public(tmp_path: Path) -> None:
    engine = _store(tmp_path / "store")
    with engine.begin() as conn:
        _open(conn, id_="alert", roots=(COUNTY,))
    while _step(engine, SMALLEST):
        pass
    with engine.begin() as conn:
        kinds = conn.execute(
            text("SELECT v.kind FROM delivery d JOIN recipient_version v ON v.no = d.version_no ORDER BY d.no")
        ).scalars()
        order = [{"person": 0, "terminal": 1, "household": 2}[kind] for kind in kinds]
    assert order == sorted(order)
    engine.dispose()


def test_an_import_in_the_middle_changes_nothing_of_what_is_planned(tmp_path: Path) -> None:
    whole, disturbed = (_store(tmp_path / name) for name in ("whole", "disturbed"))
    pictures = []
    for engine in (whole, disturbed):
        with engine.begin() as conn:
            no = _open(conn, id_="alert", roots=(COUNTY,))
        steps = 0
        while _step(engine, SMALLEST):
            steps += 1
            if engine is disturbed and steps in (3, 12, 30):
                _import(tmp_path / "disturbed", households=steps, without=VILLAGES[steps % 6])
        pictures.append(_picture(engine, no))
    assert pictures[0] == pictures[1]
    with disturbed.begin() as conn:
        invariants.deliveries_are_what_was_asked(conn)
    for engine in (whole, disturbed):
        engine.dispose()


def _import(folder: Path, *, households: int, without: str) -> None:
    url = store_url(folder)
    reading, writing = open_engine(url, begin="BEGIN"), open_engine(url)
    door = Door(reading, writing, clock=ManualClock(START), token="token")
    people = folder / "again.csv"
    changed = recipients_csv(households=households, without_terminal=(without,), without_officer=(without,))
    people.write_text(changed.replace(",1380000", ",1770000"), encoding="utf-8")
    summary = import_recipients(people, door=door, options=Options(), language="zh")
    assert summary.problems.total == 0
    for engine in (reading, writing):
        engine.dispose()


def test_a_cancel_in_the_middle_of_planning_finds_the_loudspeakers_that_heard_by_topic(tmp_path: Path) -> None:
    engine = _store(tmp_path / "store")
    with engine.begin() as conn:
        _open(conn, id_="alert", roots=(COUNTY,))
    _step(engine, SMALLEST)  # Publications.
    with engine.begin() as conn:
        _send(conn)
        assert conn.execute(text("SELECT count(*) FROM delivery")).scalar_one() == 0
        messages.close(conn, message_id="alert", closed_as="withdrawn", stamp=STAMP)
        end = _open(conn, id_="end", roots=(), seq=2, kind="cancel")
    while _step(engine, SMALLEST):
        pass
    with engine.begin() as conn:
        rows = conn.execute(text(_PLANNED), {"no": end}).all()
        assert sorted(row[1] for row in rows) == sorted(f"term-{code}" for code in VILLAGES)
        assert {(row.purpose, row.channel, row.address) for row in rows} == {
            ("cancel", "mqtt", f"terminal:term-{code}") for code in VILLAGES
        }
        invariants.counters_tell_the_truth(conn)
    engine.dispose()
