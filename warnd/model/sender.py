"""How one sender of a channel fares: whether its breaker lets a try through, and how much of its weight it is worth. Pure.

A sender is a gateway, account or relay of its own behind one channel. Times are whole milliseconds of one clock; counts are thousandths,
halved every minute, so that what happened is forgotten by itself and a weight drifts back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

FAILURES = 5
"""In a row, after which a sender rests; as many as the ledger's patience with a leg."""
LEAST = 50
"""Thousandths of its weight that a sender keeps whatever happens: without a try nothing would show that it is well again."""
REST_MAX_MS = 60_000
_REST_MS = 5_000
_PAUSE_MS = 2_000  # After "too fast" without a time.
_HALF_LIFE_MS = 60_000
_FORGOTTEN_MS = 600_000
_JUDGED = 20_000  # Twenty tries of the last minutes; fewer say nothing about a share of errors.
_USUAL_LEAST_MS = 5_000  # A report within this time is never slow.
_DELAY_MAX_MS = 120_000  # Phones that are off are no fault of a sender's.
_TRUSTED = 3_000  # Reports that a sender is given on trust, as fast as is usual.
_ONE = 1_000
_BACK_MS = 5_000  # A time that is ahead by less is another worker's now; one that is ahead by more was put back since.

Breaker = Literal["closed", "half_open", "open"]
Verdict = Literal["good", "bad", "throttled", "nothing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a sender, the same for all workers.

    Attributes:
        turn: Its place in the weighted round.
        good, bad: Tries, in thousandths, as of `noted_at`.
        delays_ms, reports: Sum and number, in thousandths, of the times from acceptance to delivery report, as of `noted_at`.
        failures: In a row.
        rests: How often it was rested since it last worked; 0 = its breaker is closed.
        rested_at, rests_until: The latest rest.
        probe_leg, probe_until: The one try that shows whether it is back, and when it counts as lost; 0 = none.
        paused_at, paused_until: The latest pause that it asked for.
        cause: Why it rests or pauses, in its own words.
    """

    turn: int = 0
    good: int = 0
    bad: int = 0
    delays_ms: int = 0
    reports: int = 0
    noted_at: int = 0
    failures: int = 0
    rests: int = 0
    rested_at: int = 0
    rests_until: int = 0
    probe_leg: int = 0
    probe_until: int = 0
    paused_at: int = 0
    paused_until: int = 0
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What one try says of its sender.

    Attributes:
        verdict: "nothing" of a try that was not begun.
        pause_ms: For "throttled": how long it wants to be left alone; None = it did not say.
    """

    leg_no: int
    verdict: Verdict
    pause_ms: int | None = None
    cause: str | None = None


def breaker(standing: Standing, now_ms: int) -> Breaker:
    """Return the state of its breaker; half open from the end of a rest until something shows that it works.

    Nothing may be sent for days: ten minutes after its last rest a sender is believed to be well until it fails again.
    """
    if standing.rests == 0 or now_ms >= standing.rests_until + _FORGOTTEN_MS:
        return "closed"
    return "open" if _lasts(standing.rested_at, standing.rests_until, now_ms) else "half_open"


def _lasts(since: int, until: int, now_ms: int) -> bool:
    return since - _BACK_MS <= now_ms < until


def waits_ms(standing: Standing, now_ms: int) -> int:
    """Return for how long nothing is to be tried; a clock that was put back behind the beginning of a rest ends it."""
    ends = [
        until
        for since, until in (
            (standing.paused_at, standing.paused_until),
            (standing.rested_at, standing.rests_until),
        )
        if _lasts(since, until, now_ms)
    ]
    return max(ends) - now_ms if ends else 0


def probing(standing: Standing, now_ms: int) -> bool:
    """Say whether somebody is finding out whether it is back."""
    return standing.probe_leg != 0 and _lasts(standing.rested_at, standing.probe_until, now_ms)


def admits(standing: Standing, now_ms: int) -> int | None:
    """Return how many tries it may get now; None = any number."""
    if waits_ms(standing, now_ms):
        return 0
    if breaker(standing, now_ms) == "closed":
        return None
    return 0 if probing(standing, now_ms) else 1


def learned(standing: Standing, told: Sequence[Told], now_ms: int) -> Standing:
    """Return its standing after these tries, in their order."""
    standing = _aged(standing, now_ms)
    if standing.rests and breaker(standing, now_ms) == "closed":
        standing = replace(standing, failures=0, rests=0, rested_at=0, rests_until=0, probe_leg=0, probe_until=0)
    for one in told:
        if one.leg_no == standing.probe_leg:
            standing = replace(standing, probe_leg=0, probe_until=0)
        if one.verdict == "good":
            standing = _worked(standing, now_ms)
        elif one.verdict == "bad":
            standing = _failed(standing, one, now_ms)
        elif one.verdict == "throttled":
            until = now_ms + (_PAUSE_MS if one.pause_ms is None else one.pause_ms)
            if until > standing.paused_until or now_ms < standing.paused_at - _BACK_MS:
                standing = replace(standing, paused_at=now_ms, paused_until=until, cause=one.cause)
    return standing


def _worked(standing: Standing, now_ms: int) -> Standing:
    """A sender that works rests no longer; a pause that it asked for stands."""
    paused = _lasts(standing.paused_at, standing.paused_until, now_ms)
    return replace(
        standing,
        good=standing.good + _ONE,
        failures=0,
        rests=0,
        rested_at=0,
        rests_until=0,
        probe_leg=0,
        probe_until=0,
        cause=standing.cause if paused else None,
    )


def _failed(standing: Standing, one: Told, now_ms: int) -> Standing:
    standing = replace(standing, bad=standing.bad + _ONE, failures=standing.failures + 1)
    mostly = standing.good + standing.bad >= _JUDGED and standing.bad > standing.good
    if breaker(standing, now_ms) == "open" or not (standing.rests or mostly or standing.failures >= FAILURES):
        return standing  # What was under way when its rest began makes that no longer.
    rest_ms = min(REST_MAX_MS, _REST_MS * 2 ** min(standing.rests, 10))
    return replace(standing, rests=standing.rests + 1, rested_at=now_ms, rests_until=now_ms + rest_ms, cause=one.cause)


def heard(standing: Standing, delays_ms: Sequence[int], now_ms: int) -> Standing:
    """Return its standing after delivery reports that came so long after the texts were accepted."""
    standing = _aged(standing, now_ms)
    bounded = [min(max(0, each), _DELAY_MAX_MS) for each in delays_ms]
    return replace(
        standing, delays_ms=standing.delays_ms + sum(bounded), reports=standing.reports + _ONE * len(bounded)
    )


def _aged(standing: Standing, now_ms: int) -> Standing:
    """Return it with what was counted faded to `now_ms`; a clock that was put back lets nothing fade."""
    past = now_ms - standing.noted_at
    if past <= 0:
        return replace(standing, noted_at=now_ms)
    left = 0.5 ** min(past / _HALF_LIFE_MS, 64.0)
    return replace(
        standing,
        good=int(standing.good * left),
        bad=int(standing.bad * left),
        delays_ms=int(standing.delays_ms * left),
        reports=int(standing.reports * left),
        noted_at=now_ms,
    )


def usual_ms(standings: Sequence[Standing]) -> float:
    """Return how long reports take on the fastest sender that has told enough; what is slow is slow beside it."""
    means = [each.delays_ms * _ONE / each.reports for each in standings if each.reports >= _TRUSTED]
    return max(min(means, default=0.0), _USUAL_LEAST_MS)


def worth(standing: Standing, *, usual_ms: float, now_ms: int) -> int:
    """Return how much of its weight it is worth now, in thousandths: from `LEAST` to 1000."""
    now = _aged(standing, now_ms)
    share = (now.good + _ONE) / (now.good + now.bad + _ONE)
    mean = (now.delays_ms * _ONE + _TRUSTED * usual_ms) / (now.reports + _TRUSTED)
    slow = min(1.0, 2 * usual_ms / mean)
    return max(LEAST, int(1_000 * share * share * slow))


def next_in_turn(turns: dict[str, int], weights: Mapping[str, int]) -> str:
    """Return who is next among `weights`, each above 0, and note it in `turns`: a smooth weighted round, without chance."""
    for name, weight in weights.items():
        turns[name] = turns.get(name, 0) + weight
    chosen = max(weights, key=lambda name: turns[name])
    turns[chosen] -= sum(weights.values())
    return chosen
