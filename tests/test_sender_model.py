"""How a sender fares, as a pure matter: rests, single probes, and weights that fall and drift back."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from warnd.model.sender import (
    FAILURES,
    LEAST,
    REST_MAX_MS,
    Standing,
    Told,
    Verdict,
    admits,
    breaker,
    heard,
    learned,
    next_in_turn,
    probing,
    usual_ms,
    waits_ms,
    worth,
)

GOOD, BAD = Told(1, "good"), Told(1, "bad", cause="connection refused")
_LEASE_MS = 45_000
_VERDICTS: tuple[Verdict, ...] = ("good", "bad", "throttled", "nothing")


def fresh_worth(standing: Standing, now_ms: int) -> int:
    return worth(standing, usual_ms=usual_ms([standing]), now_ms=now_ms)


def test_failures_in_a_row_rest_it_and_each_failed_probe_doubles_the_rest_up_to_a_minute() -> None:
    standing, now = learned(Standing(), [BAD] * (FAILURES - 1), 0), 0
    assert breaker(standing, 0) == "closed"
    rests = []
    for _ in range(6):
        standing = learned(standing, [BAD], now)
        rests.append(waits_ms(standing, now))
        now += rests[-1]
        assert (breaker(standing, now), admits(standing, now)) == ("half_open", 1)
    assert rests == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]


def test_a_sender_that_nobody_needed_for_ten_minutes_is_believed_again_until_it_fails_again() -> None:
    resting = learned(Standing(), [BAD] * FAILURES, 0)
    assert breaker(resting, 604_999) == "half_open"
    assert (breaker(resting, 605_000), admits(resting, 605_000)) == ("closed", None)
    again = learned(resting, [BAD] * (FAILURES - 1), 605_000)
    assert breaker(again, 605_000) == "closed"
    assert waits_ms(learned(again, [BAD], 605_000), 605_000) == 5_000


def test_what_was_under_way_when_a_rest_began_makes_it_no_longer_and_a_success_ends_it() -> None:
    resting = learned(Standing(), [BAD] * FAILURES, 0)
    assert waits_ms(learned(resting, [BAD] * 50, 1_000), 1_000) == 4_000
    back = learned(resting, [GOOD], 1_000)
    assert (breaker(back, 1_000), admits(back, 1_000), back.cause) == ("closed", None, None)


def test_a_sender_of_which_most_tries_fail_rests_though_some_work_in_between() -> None:
    mixed = learned(Standing(), [BAD, BAD, GOOD] * 7, 0)
    assert breaker(mixed, 0) == "closed", "the last try worked"
    assert breaker(learned(mixed, [BAD], 0), 0) == "open"


def test_too_fast_pauses_for_as_long_as_it_asked_whatever_was_under_way() -> None:
    paused = learned(Standing(), [Told(1, "throttled", 20_000, "429"), GOOD, BAD], 0)
    assert (waits_ms(paused, 0), waits_ms(paused, 20_000), paused.cause) == (20_000, 0, "429")
    assert waits_ms(learned(Standing(), [Told(1, "throttled")], 0), 0) == 2_000, "without a time"


def test_a_clock_that_was_put_back_makes_no_rest_and_no_pause_longer() -> None:
    resting = learned(Standing(), [*[BAD] * FAILURES, Told(1, "throttled", 20_000)], 3_600_000)
    assert waits_ms(resting, 0) == 0
    assert admits(resting, 0) == 1


def test_only_the_probe_itself_says_what_became_of_it() -> None:
    resting = learned(Standing(), [BAD] * FAILURES, 0)
    trying = replace(resting, probe_leg=9, probe_until=5_000 + _LEASE_MS)
    assert admits(trying, 6_000) == 0
    assert admits(learned(trying, [Told(9, "nothing")], 6_000), 6_000) == 1
    assert admits(learned(trying, [Told(8, "nothing")], 6_000), 6_000) == 0
    assert admits(trying, 5_000 + _LEASE_MS) == 1, "whoever tried is gone"


@given(st.lists(st.tuples(st.integers(0, 90_000), st.sampled_from(_VERDICTS), st.integers(1, 3)), max_size=60))
def test_however_many_workers_ask_at_most_one_probe_is_under_way_and_no_rest_is_longer_than_a_minute(
    steps: list[tuple[int, Verdict, int]],
) -> None:
    standing, now = Standing(), 0
    probes: dict[int, int] = {}  # Leg -> when its lease ends.
    for number, (past, verdict, workers) in enumerate(steps):
        now += past
        for worker in range(workers):
            if admits(standing, now) == 1:
                assert not [leg for leg, until in probes.items() if until > now and leg == standing.probe_leg]
                leg = 1_000 + number * 10 + worker
                standing = replace(standing, probe_leg=leg, probe_until=now + _LEASE_MS)
                probes[leg] = now + _LEASE_MS
        assert not (probing(standing, now) and admits(standing, now))
        standing = learned(standing, [Told(standing.probe_leg or number, verdict, 10_000)], now)
        assert waits_ms(standing, now) <= REST_MAX_MS
    standing = learned(standing, [], now)
    assert admits(standing, now + REST_MAX_MS + _LEASE_MS) != 0, "it is always tried again"


@given(
    st.lists(st.sampled_from([GOOD, BAD]), max_size=200),
    st.lists(st.integers(0, 200_000), max_size=50),
    st.integers(0, 60_000),
)
def test_a_weight_never_comes_to_nothing_and_drifts_back(tries: list[Told], delays: list[int], now: int) -> None:
    standing = heard(learned(Standing(), tries, now), delays, now)
    other = heard(Standing(), [1_000] * 10, now)
    usual = usual_ms([standing, other])
    series = [worth(standing, usual_ms=usual, now_ms=now + minutes * 60_000) for minutes in range(21)]
    assert all(LEAST <= one <= 1_000 for one in series)
    assert series == sorted(series), "without trouble it only rises"
    assert series[-1] >= 990


def test_errors_and_slow_reports_lower_a_weight() -> None:
    assert fresh_worth(learned(Standing(), [GOOD] * 99 + [BAD], 0), 0) > 950
    assert fresh_worth(learned(Standing(), [GOOD, BAD] * 10, 0), 0) < 300
    fast, slow = heard(Standing(), [2_000] * 20, 0), heard(Standing(), [60_000] * 20, 0)
    usual = usual_ms([fast, slow])
    assert worth(fast, usual_ms=usual, now_ms=0) == 1_000
    assert worth(slow, usual_ms=usual, now_ms=0) < 300
    assert usual_ms([Standing()]) == 5_000, "of which nothing is known, nothing is slow"


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_a_weighted_round_gives_each_exactly_its_share(weights: list[int]) -> None:
    turns: dict[str, int] = {}
    named = {str(index): weight for index, weight in enumerate(weights)}
    chosen = [next_in_turn(turns, named) for _ in range(sum(weights))]
    assert {name: chosen.count(name) for name in named} == named
    assert set(turns.values()) == {0}
