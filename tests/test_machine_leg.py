"""The leg as a machine: claimed, tried, lapsed, silent, given way; held to a table of its own, whatever comes in whatever order."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Row, text

from tests.machines import SETTINGS, Ground
from tests.stores import only
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.ledger import claims, deliveries, leases, messages, outcomes, silence
from warnd.ledger.claims import Claimed
from warnd.ledger.outcomes import Tried
from warnd.model.evidence import Evidence

pytestmark = only("sqlite", "plays on SQLite in memory, whatever the run")

LEASE_MS = 120_000
NOBODY, REST = {"standby", "due", "submitting", "waiting"}, {"done", "failed"}
# Where a leg may go in one step, by what happens; from the words of the design, not from the code.
MAY = {
    "claim": {("due", "submitting")},
    "outcome": {
        ("submitting", "waiting"),
        ("submitting", "due"),
        ("submitting", "done"),
        ("submitting", "failed"),
        ("waiting", "due"),
        ("waiting", "waiting"),
        ("waiting", "done"),
        ("waiting", "failed"),
        ("standby", "due"),
    },
    "lapse": {("submitting", "waiting"), ("submitting", "done")},
    "silence": {("waiting", "due"), ("waiting", "failed"), ("waiting", "done"), ("standby", "due")},
    "proof": {("standby", "done"), ("due", "done"), ("waiting", "done")},
    "time": set[tuple[str, str]](),
    "close": set[tuple[str, str]](),
}
OUTCOMES = st.sampled_from(
    [
        Accepted("reference"),
        Failed("503"),
        Failed("429", retry="throttled", retry_after_s=7.0),
        Failed("404", retry="permanent"),
        Unknown("reset"),
    ]
)


class LegMachine(RuleBasedStateMachine):
    """All the SMS and mail legs of one red warning."""

    def __init__(self) -> None:
        super().__init__()
        self.ground = Ground()
        self.claims: list[Claimed] = []
        self.closed = False
        self.legs = self._legs()

    def teardown(self) -> None:
        self.ground.close()

    def _legs(self) -> dict[int, Row[Any]]:
        return {row.no: row for row in self.ground.rows("SELECT * FROM leg ORDER BY no")}

    def _after(self, what: str) -> dict[int, Row[Any]]:
        """Hold every leg's step to the table; return the legs as they were before."""
        before, self.legs = self.legs, self._legs()
        for no, leg in self.legs.items():
            old = before[no]
            step = (old.state, leg.state)
            assert old.state == leg.state or step in MAY[what], (what, no, step)
            assert leg.token >= old.token
            assert leg.attempts >= old.attempts
            assert old.state not in REST or leg.state == old.state, (what, no, step)
        return before

    @rule(lane=st.sampled_from(["sms", "email", "mqtt"]), limit=st.integers(1, 4))
    def claim(self, lane: str, limit: int) -> None:
        taken = self.ground.run(claims.claim, lane=lane, limit=limit, lease_ms=LEASE_MS, stamp=self.ground.stamp())
        before = self._after("claim")
        ready = [one for one in before.values() if one.lane == lane and one.state == "due" and one.due_at <= self._now]
        assert len(taken) == (0 if self.closed else min(limit, len(ready)))
        best = sorted(ready, key=lambda one: (one.priority, one.due_at, one.no))[:limit]
        assert {one.leg_no for one in taken} == (set() if self.closed else {one.no for one in best})
        for one in taken:
            leg = self.legs[one.leg_no]
            assert (one.number, one.token) == (leg.attempts, leg.token)
            assert (leg.attempts, leg.token) == (before[leg.no].attempts + 1, before[leg.no].token + 1)
            assert leg.lease_until == self._now + LEASE_MS
        self.claims += taken

    @precondition(lambda self: self.claims)
    @rule(which=st.randoms(use_true_random=False), outcome=OUTCOMES, jitter=st.floats(0, 0.999))
    def outcome(self, which: Any, outcome: Outcome, jitter: float) -> None:
        one: Claimed = which.choice(self.claims)  # Often one whose leg has gone on without it.
        tried = Tried(one.leg_no, one.number, one.token, outcome, 1, jitter)
        attempt = self._attempt(one)
        self.ground.run(outcomes.record, [tried], stamp=self.ground.stamp())
        before = self._after("outcome")
        was, leg = before[one.leg_no], self.legs[one.leg_no]
        newest = one.number == was.attempts
        mine = newest and was.state == "submitting" and one.token == was.token
        solved = newest and was.state == "waiting" and attempt == "unknown" and not isinstance(outcome, Unknown)
        if not mine and not solved:
            assert (leg.state, leg.due_at, leg.tries, leg.failures) == (was.state, was.due_at, was.tries, was.failures)
            return
        self._moved(was, leg, outcome, jitter=jitter, over=self._satisfied(leg))

    def _moved(self, was: Row[Any], leg: Row[Any], outcome: Outcome, *, jitter: float, over: bool) -> None:
        assert leg.lease_until is None
        if isinstance(outcome, Accepted):
            over = over or leg.publication_no is not None
            assert (leg.state, leg.tries, leg.repeat) == ("done" if over else "waiting", was.tries + 1, 1)
        elif isinstance(outcome, Unknown):
            assert (leg.state, leg.failures, leg.repeat) == ("done" if over else "waiting", was.failures + 1, 1)
        elif outcome.retry == "permanent":
            assert leg.state == ("done" if over else "failed")
        elif outcome.retry == "throttled":
            assert (leg.state, leg.due_at) == ("done" if over else "due", self._now + 7_000)
            assert leg.failures == was.failures
        else:
            assert leg.state == ("done" if over else "due")
            found_out = was.state == "waiting"
            assert leg.failures == was.failures + (not found_out)
            longest = 0 if found_out else min(300_000 if leg.failures > 5 else 60_000, 2_000 * 2**leg.failures)
            assert self._now <= leg.due_at <= self._now + longest * jitter + 1

    @rule(dead=st.booleans())
    def lapse(self, dead: bool) -> None:  # noqa: FBT001 - drawn
        self.ground.now_ms += LEASE_MS * dead
        self.ground.run(leases.lapse, stamp=self.ground.stamp(), everyone=False)
        before = self._after("lapse")
        for no, was in before.items():
            ended = was.state == "submitting" and was.lease_until <= self._now
            assert (self.legs[no].state != was.state) == ended
            if ended:
                assert (self.legs[no].token, self.legs[no].repeat) == (was.token + 1, 1)

    @rule()
    def silence(self) -> None:
        self.ground.run(silence.break_silence, limit=1_000, jitter=0.5, stamp=self.ground.stamp())
        before = self._after("silence")
        for no, was in before.items():
            if was.state == "waiting" and was.due_at <= self._now:
                assert self.legs[no].state == self._after_silence(was), no

    def _after_silence(self, was: Row[Any]) -> str:
        if self.closed or self._satisfied(was):
            return "done"
        if self._newest(was) == "unknown" or was.tries < was.tries_max:
            return "due"
        return "failed"

    @rule(which=st.randoms(use_true_random=False), evidence=st.sampled_from(list(Evidence)[1:]))
    def proof(self, which: Any, evidence: Evidence) -> None:
        no = which.choice(self.ground.rows("SELECT no FROM delivery ORDER BY no")).no
        self.ground.run(deliveries.raise_evidence, {no: evidence}, stamp=self.ground.stamp())
        self._after("proof")
        if not self.closed:
            assert not [
                leg
                for leg in self.legs.values()
                if leg.delivery_no is not None and self._satisfied(leg) and leg.state in {"standby", "due", "waiting"}
            ]

    @rule(seconds=st.sampled_from([1, 3, 8, 30, 130]))
    def time(self, seconds: int) -> None:
        self.ground.now_ms += seconds * 1000

    @precondition(lambda self: not self.closed)
    @rule(sure=st.integers(0, 7))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.ground.run(messages.close, message_id="message", closed_as="withdrawn", stamp=self.ground.stamp())
            self.closed = True

    @invariant()
    def one_attempt_is_under_way_exactly_while_its_leg_is(self) -> None:
        under_way = self.ground.rows("SELECT leg_no, number FROM attempt WHERE state = 'submitting'")
        legs = {(leg.no, leg.attempts) for leg in self.legs.values() if leg.state == "submitting"}
        assert {tuple(row) for row in under_way} == legs

    @invariant()
    def whoever_is_not_reached_is_being_tried_or_named(self) -> None:
        if self.closed:
            return
        forgotten = self.ground.rows(
            "SELECT no FROM delivery d WHERE state = 'open' AND NOT EXISTS (SELECT 1 FROM leg l WHERE l.delivery_no = d.no "
            "AND l.state IN ('due', 'submitting', 'waiting'))"
        )
        assert not forgotten

    @property
    def _now(self) -> int:
        return self.ground.now_ms

    def _attempt(self, one: Claimed) -> str:
        rows = self.ground.rows(
            "SELECT state FROM attempt WHERE leg_no = :leg AND number = :number", leg=one.leg_no, number=one.number
        )
        return str(rows[0].state)

    def _newest(self, leg: Row[Any]) -> str:
        rows = self.ground.rows(
            "SELECT state FROM attempt WHERE leg_no = :leg AND number = :number", leg=leg.no, number=leg.attempts
        )
        return str(rows[0].state)

    def _satisfied(self, leg: Row[Any]) -> bool:
        if leg.delivery_no is None:
            return False
        with self.ground.engine.begin() as conn:
            state = conn.execute(
                text("SELECT state FROM delivery WHERE no = :no"), {"no": leg.delivery_no}
            ).scalar_one()
        return bool(state == "satisfied")


TestLegMachine = LegMachine.TestCase
TestLegMachine.settings = SETTINGS
