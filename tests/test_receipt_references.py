"""Reports that carry only the provider's own reference: matched whenever they come, never guessed, and cheap for everybody else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from tests import invariants, stores
from tests.fakes.released import NOW, TAG, claim_all, founded, release
from warnd.channel import Accepted, Failed, Outcome, Report, Unknown
from warnd.ledger import outcomes, receipts
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.node import attempt_id
from warnd.ledger.outcomes import Tried
from warnd.ledger.references import _ATTEMPTS, _WAITING
from warnd.ledger.values import many
from warnd.model.evidence import Evidence
from warnd.model.level import Level

REFERENCE = "smpp:1a2b"
Event = Outcome | Report


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A county with one red message, planned; no try is claimed yet."""
    made = founded(tmp_path_factory.mktemp("references"))
    with made.begin() as conn:
        release(conn, Level.RED, public=True)
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    """A connection whose changes do not stay."""
    with engine.connect() as made, made.begin() as transaction:
        yield made
        transaction.rollback()


def _claimed(conn: Connection) -> list[Claimed]:
    return claim_all(conn, "sms")


class Gateway:
    """Records outcomes and brings reports, a second apart, as the recorder does it."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._now = NOW

    def _stamp(self) -> Stamp:
        self._now += 1_000
        return Stamp(self._now, "writer")

    def told(self, *outcomes_: tuple[Claimed, Outcome]) -> None:
        stamp = self._stamp()
        tried = [Tried(one.leg_no, one.number, one.token, outcome, 1, 0.5) for one, outcome in outcomes_]
        learned = outcomes.record(self._conn, tried, stamp=stamp)
        receipts.catch_up(self._conn, learned, tag=TAG, stamp=stamp)

    def reports(self, *reports: Report) -> None:
        receipts.apply(self._conn, [receipts.Arrived(one, 0.5) for one in reports], tag=TAG, stamp=self._stamp())


def _report(part: int | None = None, *, failed: bool = False, reference: str = REFERENCE, **more: Any) -> Report:
    evidence = Evidence.NONE if failed else Evidence.DELIVERED
    parts = None if part is None else 2
    return Report("sms", None, evidence, failed=failed, part=part, parts=parts, reference=reference, **more)


def _evidence(conn: Connection, claimed: Claimed) -> int:
    found: int = conn.execute(
        text("SELECT d.evidence FROM delivery d JOIN leg l ON l.delivery_no = d.no WHERE l.no = :no"),
        {"no": claimed.leg_no},
    ).scalar_one()
    return found


def _rows(conn: Connection, statement: str, **values: Any) -> list[Any]:
    return list(conn.execute(text(statement), values))


def _leg(conn: Connection, claimed: Claimed) -> Any:
    return conn.execute(text("SELECT * FROM leg WHERE no = :no"), {"no": claimed.leg_no}).one()


def _play(conn: Connection, claimed: Claimed, course: Sequence[Event]) -> int:
    gateway = Gateway(conn)
    for one in course:
        gateway.reports(one) if isinstance(one, Report) else gateway.told((claimed, one))
    invariants.counters_tell_the_truth(conn)
    return _evidence(conn, claimed)


COURSES: dict[str, tuple[Event, ...]] = {
    "whole": (Accepted(REFERENCE), _report()),
    "parts": (Accepted(REFERENCE), _report(1), _report(2)),
    "a part refused": (Accepted(REFERENCE), _report(1), _report(2, failed=True)),
    "refused and yet delivered": (Accepted(REFERENCE), _report(failed=True), _report()),
    "twice": (Accepted(REFERENCE), _report(), _report(), _report(1)),
    "first unknown": (Accepted(REFERENCE), Unknown("time-out"), _report(1), _report(2)),
}


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES.keys())
def test_outcome_and_reports_prove_the_same_in_any_order(engine: Engine, course: tuple[Event, ...]) -> None:
    seen = set()
    for order in set(permutations(course)):
        with engine.connect() as conn, conn.begin() as transaction:
            seen.add(_play(conn, _claimed(conn)[0], order))
            assert not _rows(conn, "SELECT no FROM receipt WHERE leg_no IS NULL")
            transaction.rollback()
    assert len(seen) == 1, seen


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    course=st.permutations(
        [Accepted(REFERENCE), *(replace(_report(part), raw=str(n)) for n in range(2) for part in (1, 2))]
    )
)
def test_the_evidence_of_a_text_in_parts_does_not_hang_on_when_its_reference_is_told(
    engine: Engine, course: list[Event]
) -> None:
    with engine.connect() as conn, conn.begin() as transaction:
        assert _play(conn, _claimed(conn)[0], course) == Evidence.DELIVERED
        transaction.rollback()


def test_a_refusal_that_came_first_makes_the_leg_due_again_as_one_that_comes_after(conn: Connection) -> None:
    one, other = _claimed(conn)[:2]
    gateway = Gateway(conn)
    gateway.reports(_report(failed=True, reason="7 no route"))
    gateway.told((one, Accepted(REFERENCE)), (other, Accepted("smpp:2")))
    gateway.reports(_report(failed=True, reason="7 no route", reference="smpp:2"))
    first, second = _leg(conn, one), _leg(conn, other)
    assert (first.state, first.failures, first.tries, first.repeat) == ("due", 1, 0, 1)
    assert (second.state, second.failures, second.tries, second.repeat) == ("due", 1, 0, 1)
    states = _rows(conn, "SELECT state, reason FROM attempt WHERE reference IS NOT NULL")
    assert [tuple(row) for row in states] == [("failed", "7 no route")] * 2


def test_one_reference_for_a_batch_is_told_apart_by_the_address(conn: Connection) -> None:
    claimed = _claimed(conn)
    gateway = Gateway(conn)
    gateway.reports(_report(address=claimed[0].address))
    gateway.told(*((one, Accepted("http:task")) for one in claimed))
    gateway.reports(_report(reference="http:task", address=claimed[1].address))
    assert [_evidence(conn, one) for one in claimed[:3]] == [Evidence.ACCEPTED, Evidence.DELIVERED, Evidence.ACCEPTED]


def test_one_reference_that_fits_two_attempts_proves_nothing_about_either_and_is_told(conn: Connection) -> None:
    one, other = _claimed(conn)[:2]
    gateway = Gateway(conn)
    gateway.reports(_report(1))
    gateway.told((one, Accepted(REFERENCE)), (other, Accepted(REFERENCE)))
    gateway.reports(_report())
    assert [_evidence(conn, each) for each in (one, other)] == [Evidence.ACCEPTED] * 2
    assert len(_rows(conn, "SELECT no FROM receipt WHERE leg_no IS NULL AND reference = :r", r=REFERENCE)) == 2
    assert len(_rows(conn, "SELECT no FROM event WHERE kind = 'receipt.unmatched'")) == 2


def test_a_reference_of_another_channel_is_another_reference(conn: Connection) -> None:
    one = _claimed(conn)[0]
    gateway = Gateway(conn)
    gateway.told((one, Accepted(REFERENCE)))
    gateway.reports(replace(_report(), channel="email"))
    assert _evidence(conn, one) == Evidence.ACCEPTED


def test_a_second_copy_of_a_report_that_waits_is_no_second_report(conn: Connection) -> None:
    one = _claimed(conn)[0]
    gateway = Gateway(conn)
    gateway.reports(_report(failed=True), _report(failed=True), _report(failed=True, address=one.address))
    assert len(_rows(conn, "SELECT no FROM receipt")) == 2
    gateway.told((one, Accepted(REFERENCE)))
    assert _leg(conn, one).failures == 1


def test_a_reference_told_after_a_report_with_our_own_id_is_still_known(conn: Connection) -> None:
    one = _claimed(conn)[0]
    gateway = Gateway(conn)
    gateway.reports(Report("sms", attempt_id(TAG, one.leg_no, 1), Evidence.NONE, failed=True))
    gateway.told((one, Accepted(REFERENCE)))
    gateway.reports(_report())
    assert _evidence(conn, one) == Evidence.DELIVERED


def test_what_a_gateway_counted_is_what_it_cost(conn: Connection) -> None:
    one, other, third, fourth = _claimed(conn)[:4]
    gateway = Gateway(conn)
    gateway.told((one, Accepted("a", segments=3)), (other, Accepted("b")), (third, Failed("no", retry="permanent")))
    gateway.told((fourth, Unknown("time-out")))
    gateway.told((fourth, Accepted("c", segments=2)), (one, Accepted("a", segments=3)))
    counted = _rows(conn, "SELECT channel, what, n FROM channel_tally ORDER BY what")
    assert [tuple(row) for row in counted] == [("sms", "accepted", 3), ("sms", "segments", 6)]
    parts = _rows(conn, "SELECT sum(parts) FROM attempt WHERE state = 'accepted'")
    assert parts[0][0] == 6


@stores.only("sqlite", "asks that one how it would look")
@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (_ATTEMPTS, {"references": ["a", "b"]}, "ix_attempt_reference"),
        (_WAITING, {"references": ["a", "b"], "channel": "sms"}, "ix_receipt_unmatched"),
    ],
    ids=["attempts", "waiting"],
)
def test_looking_a_reference_up_uses_its_index(
    conn: Connection, statement: Any, values: dict[str, Any], index: str
) -> None:
    asked = many(f"EXPLAIN QUERY PLAN {statement.text}", "references", of=str)
    plan = [row.detail for row in conn.execute(asked, values)]
    assert any(index in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
