"""Who shares a store, who has gone silent, and what becomes of the tries of those."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.fakes.released import NOW, STAMP, claim_all, founded, release
from warnd.ledger import batons, deliveries, leases, workers
from warnd.ledger.events import Stamp
from warnd.model.evidence import Evidence
from warnd.model.level import Level

SILENT_MS = 8_000
OTHER = Stamp(NOW, "other")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = founded(tmp_path)
    with made.begin() as conn:
        workers.join(conn, name="alpha", version="1", stamp=STAMP)
        workers.join(conn, name="beta", version="2", stamp=OTHER)
    yield made
    made.dispose()


def _at(stamp: Stamp, after_ms: int) -> Stamp:
    return replace(stamp, now_ms=stamp.now_ms + after_ms)


def test_workers_are_known_by_name_and_age(engine: Engine) -> None:
    with engine.begin() as conn:
        workers.beat(conn, name="alpha", version="1", stamp=_at(STAMP, 2_000))
        rows = workers.present(conn)
    assert {(row.name, row.version, row.started_at, row.seen_at) for row in rows} == {
        ("alpha", "1", NOW, NOW + 2_000),
        ("beta", "2", NOW, NOW),
    }


def test_only_another_who_was_not_seen_for_long_is_dead(engine: Engine) -> None:
    with engine.begin() as conn:
        assert not workers.any_silent(conn, before_ms=NOW, writer=STAMP.writer)
        assert workers.bury(conn, before_ms=NOW, stamp=STAMP) == []
        assert workers.any_silent(conn, before_ms=NOW + 1, writer=STAMP.writer)
        (gone,) = workers.bury(conn, before_ms=NOW + 1, stamp=STAMP)
        assert (gone.writer, gone.name, gone.back) == (OTHER.writer, "beta", False)
        assert [one.name for one in workers.present(conn)] == ["alpha"]


def test_one_that_was_taken_for_dead_and_lives_is_among_the_living_again(engine: Engine) -> None:
    with engine.begin() as conn:
        workers.bury(conn, before_ms=NOW + 1, stamp=STAMP)
        workers.beat(conn, name="beta", version="2", stamp=_at(OTHER, 20_000))
        assert {one.name for one in workers.present(conn)} == {"alpha", "beta"}


def test_one_that_left_is_dead_at_once_and_no_alarm(engine: Engine) -> None:
    with engine.begin() as conn:
        workers.leave(conn, name="beta", stamp=OTHER)
        assert [one.name for one in workers.present(conn)] == ["alpha"]
        assert [one.name for one in workers.bury(conn, before_ms=NOW - SILENT_MS, stamp=STAMP)] == ["beta"]
        kinds = list(conn.execute(text("SELECT kind FROM event")).scalars())
    assert kinds.count("worker.left") == 1
    assert "worker.gone" not in kinds


def test_one_that_was_started_again_under_its_name_is_back(engine: Engine) -> None:
    with engine.begin() as conn:
        workers.join(conn, name="beta", version="2", stamp=Stamp(NOW + 100, "again"))
        gone = workers.bury(conn, before_ms=NOW + 1, stamp=replace(STAMP, writer="again"))
        assert {one.name: one.back for one in gone} == {"alpha": False, "beta": True}


def test_tries_of_the_dead_are_taken_over_before_their_lease_ends(engine: Engine) -> None:
    with engine.begin() as conn:
        release(conn, Level.RED)
        claimed = claim_all(conn)
        assert claimed
        assert leases.lapse(conn, stamp=OTHER, everyone=False) == []
        lapsed = leases.lapse(conn, stamp=OTHER, everyone=False, gone=[STAMP.writer])
        assert sorted((one.leg_no, one.number) for one in claimed) == [(leg, number) for leg, number, _ in lapsed]
        states = conn.execute(
            text("SELECT DISTINCT a.state, a.reason, l.repeat FROM attempt a JOIN leg l ON l.no = a.leg_no")
        )
        assert [tuple(row) for row in states] == [("unknown", "lapsed", 1)]


def test_a_worker_that_ends_gives_its_own_tries_up(engine: Engine) -> None:
    with engine.begin() as conn:
        release(conn, Level.RED)
        claim_all(conn)
        leases.give_up(conn, stamp=OTHER)
        under_way = "SELECT count(*) FROM leg WHERE state = 'submitting'"
        assert conn.execute(text(under_way)).scalar_one() > 0
        leases.give_up(conn, stamp=STAMP)
        assert conn.execute(text(under_way)).scalar_one() == 0


def test_a_claim_that_was_not_heard_of_is_not_begun_again_for_somebody_who_has_answered_meanwhile(
    engine: Engine,
) -> None:
    with engine.begin() as conn:
        release(conn, Level.RED)
        claimed = claim_all(conn, "sms")
        answered = "SELECT delivery_no FROM leg WHERE no = :no"
        delivery_no = conn.execute(text(answered), {"no": claimed[0].leg_no}).scalar_one()
        deliveries.raise_evidence(conn, {delivery_no: Evidence.ACKNOWLEDGED}, stamp=STAMP)
        assert leases.take_back(conn, lane="sms", claimed_at_ms=NOW, stamp=STAMP) == len(claimed)
        states = {row.no: row.state for row in conn.execute(text("SELECT no, state FROM leg WHERE lane = 'sms'"))}
        assert states[claimed[0].leg_no] == "done"
        assert {states[one.leg_no] for one in claimed[1:]} == {"due"}


def test_what_was_begun_in_the_same_moment_is_not_taken_back(engine: Engine) -> None:
    with engine.begin() as conn:
        release(conn, Level.RED)
        claimed = claim_all(conn, "sms")
        begun = {(claimed[0].leg_no, claimed[0].number)}
        taken = leases.take_back(conn, lane="sms", claimed_at_ms=NOW, stamp=STAMP, begun=begun)
        assert taken == len(claimed) - 1
        left = conn.execute(text("SELECT no FROM leg WHERE lane = 'sms' AND state = 'submitting'")).scalars()
        assert list(left) == [claimed[0].leg_no]


def test_a_baton_is_held_by_one_until_it_is_given_up_or_dropped(engine: Engine) -> None:
    def take(stamp: Stamp) -> bool:
        with engine.begin() as conn:
            free = batons.free(conn, what="planning", stamp=stamp)
            taken = batons.take(conn, what="planning", hold_ms=2_000, stamp=stamp)
        assert free == taken
        return taken

    assert take(STAMP)
    assert not take(_at(OTHER, 1_999))
    assert take(_at(STAMP, 1_999))
    assert not take(_at(OTHER, 2_000))
    with engine.begin() as conn:
        batons.give_up(conn, what="planning", stamp=OTHER)
    assert not take(_at(OTHER, 2_000))
    with engine.begin() as conn:
        batons.give_up(conn, what="planning", stamp=STAMP)
    assert take(_at(OTHER, 2_000))
    assert not take(_at(STAMP, 3_999))
    assert take(_at(STAMP, 4_000))
