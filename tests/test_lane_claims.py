"""What a claim takes: urgent first, nobody starves, and no more than all workers together may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tests.fakes.crowd import move_in
from tests.fakes.released import NOW, STAMP, VILLAGE, founded, release
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.dispatch.pace import Places, Purse
from warnd.ledger import claims, outcomes, senders
from warnd.ledger.allotment import SHARE, Offer, Room, Terms
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.outcomes import Tried
from warnd.ledger.priority import PUBLIC, SEATS, TERMINALS, is_cancel, is_urgent, priority
from warnd.model.level import Level

ANY = 1_000_000
WIDE = Room(ANY, ANY, ANY)


@contextmanager
def county(folder: Path) -> Iterator[Connection]:
    """A county's store in one transaction."""
    engine = founded(folder)
    try:
        with engine.begin() as conn:
            yield conn
    finally:
        engine.dispose()


def at(seconds: float) -> Stamp:
    return Stamp(NOW + int(seconds * 1000), "writer")


def claim(
    conn: Connection, seconds: float, *offers: Offer, rate: float = 10.0, room: Room = WIDE, **more: Any
) -> list[Claimed]:
    terms = Terms(rate, room, offers or (Offer(""),), **more)
    return claims.claim(conn, lane="sms", limit=ANY, lease_ms=45_000, stamp=at(seconds), terms=terms)


def record(conn: Connection, taken: list[Claimed], outcome: Outcome, seconds: float, *, others: int = 0) -> None:
    tried = [Tried(one.leg_no, one.number, one.token, outcome, 1, 0.5, others) for one in taken]
    outcomes.record(conn, tried, stamp=at(seconds))


def levels(conn: Connection, taken: list[Claimed]) -> list[int]:
    rows = conn.execute(text("SELECT no, urgency FROM message"))
    urgency = {row.no: row.urgency for row in rows}
    return [urgency[one.message_no] for one in taken]


def test_all_workers_together_get_no_more_than_the_rate(tmp_path: Path) -> None:
    """Two workers that claim in turn, as fast as they like, for ten seconds."""
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=400)
        release(conn, Level.BLUE, public=True)
        taken = [one for tenth in range(100) for _ in ("one worker", "another") for one in claim(conn, tenth / 10)]
        assert len(taken) == 5 + 99  # What half a second saves up, and ten a second from then on.


def test_what_texts_cost_beyond_one_segment_is_taken_off_the_next_claims(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=50)
        release(conn, Level.BLUE, public=True)
        assert len(claim(conn, 0)) == 5
        assert claim(conn, 0.5, spent=5) == [], "five texts of two segments were a second's worth"
        assert len(claim(conn, 1.0)) == 5


def test_a_modem_that_is_slower_than_a_text_in_two_segments_is_kept_busy(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=50)
        release(conn, Level.BLUE, public=True)
        purse, sent = Purse(0.5, 0.0), 0
        for second in range(81):
            if purse.tokens(second) >= 1:
                taken = claim(conn, second, rate=0.5, spent=purse.settle([""])[""])
                purse.took(len(taken))
                purse.cost("", len(taken))  # One segment beyond the first.
                sent += len(taken)
        assert sent == 20 + 1, "a text every four seconds, from the first second on"


def test_a_leg_that_was_refused_every_second_for_a_day_is_still_tried(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        release(conn, Level.RED)
        conn.execute(text("UPDATE leg SET attempts = 86400, failures = 86400 WHERE lane = 'sms'"))
        taken = claim(conn, 0)
        assert {one.number for one in taken} == {86_401}
        record(conn, taken, Failed("503"), 1)
        assert not conn.execute(text("SELECT count(*) FROM leg WHERE state = 'submitting'")).scalar_one()


def test_a_clock_that_is_put_back_an_hour_stops_no_lane(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=50)
        release(conn, Level.BLUE, public=True)
        conn.execute(text("UPDATE leg SET due_at = :long_ago"), {"long_ago": NOW - 10_000_000})
        assert len(claim(conn, 0)) == 5
        assert claim(conn, -3_600) == []
        assert len(claim(conn, -3_599.5)) == 5


def test_senders_share_by_weight_and_each_keeps_to_its_own_rate(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=400)
        release(conn, Level.BLUE, public=True)
        offers = (Offer("unicom", 3), Offer("mobile", 1))
        first = claim(conn, 0, *offers, rate=80)
        assert [one.sender for one in first].count("unicom") == 30
        assert [one.sender for one in first].count("mobile") == 10
        record(conn, first, Accepted(), 0)
        slow = claim(conn, 10, Offer("unicom", 3, rate_per_s=4), Offer("mobile", 1), rate=80)
        assert [one.sender for one in slow].count("unicom") == 2, "half a second's worth of its own"
        shown = conn.execute(text("SELECT DISTINCT sender FROM attempt ORDER BY sender")).scalars()
        assert list(shown) == ["mobile", "unicom"]


def test_of_a_sender_that_rests_one_try_shows_whether_it_is_back_whoever_asks(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=100)
        release(conn, Level.BLUE, public=True)
        one, other = Offer("one"), Offer("other")
        record(conn, claim(conn, 0, one), Failed("down"), 0)
        assert claim(conn, 1, one) == [], "it rests"
        probe = claim(conn, 6, one)
        assert len(probe) == 1
        assert claim(conn, 7, one) == [], "another worker does not try it as well"
        both = claim(conn, 8, one, other)
        assert {each.sender for each in both} == {"other"}
        record(conn, probe, Accepted(), 9)
        assert len(claim(conn, 9, one)) == 5
        assert senders.standings(conn, lane="sms")["one"].rests == 0


def test_beside_sound_senders_the_probe_is_the_least_urgent_of_a_claim(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=20)
        release(conn, Level.RED, public=True)
        one, other = Offer("one"), Offer("other")
        record(conn, claim(conn, 0, one), Unknown("no answer"), 0)
        both = claim(conn, 6, one, other)
        assert [each.sender for each in both] == ["other"] * 4 + ["one"]


def test_a_try_that_certainly_failed_goes_by_each_other_sender_before_it_backs_off(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        release(conn, Level.RED)
        trio = (Offer("a"), Offer("b"), Offer("c"))
        went: list[str] = []
        for _ in range(3):
            (leg,) = [each for each in claim(conn, 0, *trio, rate=1_000) if each.recipient == f"officer-{VILLAGE}"]
            went.append(leg.sender)
            record(conn, [leg], Failed("down"), 0, others=2)
        assert sorted(went) == ["a", "b", "c"]
        waits = conn.execute(text("SELECT due_at FROM leg WHERE no = :no"), {"no": leg.leg_no}).scalar_one()
        assert NOW + 1_000 < waits <= NOW + 2_000, "now it backs off, as after a first failure"


def test_every_sixteenth_try_goes_to_whoever_has_waited_longest(tmp_path: Path) -> None:
    """The bound: with n legs older than it, a leg goes out with the claim that holds the try SHARE * (n + 1) from now, whatever comes."""
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=600)
        blue = release(conn, Level.BLUE, public=True, name="blue")
        conn.execute(text("UPDATE leg SET due_at = due_at - 1000 + no WHERE message_no = :no"), {"no": blue})
        release(conn, Level.RED, public=True, name="red")
        oldest = list(
            conn.execute(
                text("SELECT no FROM leg WHERE message_no = :no AND lane = 'sms' ORDER BY due_at LIMIT 12"),
                {"no": blue},
            ).scalars()
        )
        largest = 17  # Half a second's worth.
        order = [one.leg_no for tenth in range(60) for one in claim(conn, tenth / 10, rate=34)]
        assert len(order) < 600, "red alone would fill all of it"
        places = [order.index(no) for no in oldest]
        assert all(place < SHARE * (older + 1) + largest for older, place in enumerate(places))
        assert sum(no in oldest for no in order) <= len(order) // SHARE, "and the urgent keep the rest"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=3, max_size=20))
def test_the_share_holds_for_claims_of_any_size(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    with county(tmp_path_factory.mktemp("share")) as conn:
        move_in(conn, village=VILLAGE, count=200)
        release(conn, Level.BLUE, public=True, name="blue")
        conn.execute(text("UPDATE leg SET due_at = due_at - 1000"))
        release(conn, Level.RED, public=True, name="red")
        taken: list[int] = []
        for size in sizes:
            mine = claim(conn, 0, Offer("", places=size), rate=100_000)
            taken += levels(conn, mine)
        reds = taken.count(1)
        if reds < 200:
            assert taken.count(4) == len(taken) // SHARE


@pytest.mark.parametrize("drill", [0, 5])
def test_ranks_know_cancels_and_urgent_ones(drill: int) -> None:
    kinds = (SEATS, TERMINALS, PUBLIC)
    assert all(is_cancel(priority(drill, kind, repeat=True)) for kind in kinds)
    assert all(is_urgent(priority(drill, kind)) for kind in kinds)
    for level in (1, 2):
        assert [is_urgent(priority(drill + level, kind, repeat=True)) for kind in kinds] == [True, True, False]
    assert not any(is_urgent(priority(drill + level, SEATS)) for level in (3, 4))
    assert not is_cancel(priority(drill + 1, SEATS))


def test_ordinary_tries_leave_places_to_urgent_ones_and_all_leave_some_to_cancels(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        move_in(conn, village=VILLAGE, count=100)
        places = Places(8)
        release(conn, Level.BLUE, public=True, name="blue")
        counts: list[int] = []
        for name, urgency in (("blue", 4), ("red", 1), ("cancel", 0)):
            if name == "red":
                release(conn, Level.RED, public=True, name="red")
            if name == "cancel":
                conn.execute(text("UPDATE message SET urgency = 0 WHERE id = 'red'"))
                conn.execute(
                    text(
                        "UPDATE leg SET priority = priority % 100 WHERE message_no = (SELECT no FROM message WHERE id = 'red')"
                    )
                )
            mine = claim(conn, 0, rate=100_000, room=places.room())
            assert set(levels(conn, mine)) == {urgency}
            for one in mine:
                places.take(one.sender)
            counts.append(len(mine))
        assert counts == [6, 2, 2]
        assert claim(conn, 0, rate=100_000, room=places.room()) == []


def test_a_look_sees_senders_only_where_something_is_due_or_one_was_in_trouble(tmp_path: Path) -> None:
    with county(tmp_path) as conn:
        release(conn, Level.BLUE)
        assert claims.look(conn, lane="sms", now_ms=NOW, urgent=True, watched=False).due is False
        claim(conn, 0, Offer("one"))
        assert claims.look(conn, lane="sms", now_ms=NOW, urgent=False, watched=False) == claims.Look(False, {})
        assert set(claims.look(conn, lane="sms", now_ms=NOW, urgent=False, watched=True).standings) == {"one"}
        assert STAMP.now_ms == NOW
