"""The delivery as a machine: evidence is a lattice over whatever comes in whatever order, and the states follow from it."""

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Row

from tests import invariants
from tests.machines import LIFE_S, SETTINGS, Ground
from tests.stores import only
from warnd.channel import Accepted, Outcome, Report, Unknown
from warnd.ledger import claims, deliveries, leases, messages, outcomes, receipts, silence
from warnd.ledger.claims import Claimed
from warnd.ledger.node import attempt_id
from warnd.ledger.outcomes import Tried
from warnd.model.evidence import Evidence

pytestmark = only("sqlite", "plays on SQLite in memory, whatever the run")

TAG = "tag"
Parts = dict[tuple[int, int], int]


class DeliveryMachine(RuleBasedStateMachine):
    """All the deliveries of one red warning to people; what each of them must stand at is worked out here from what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.ground = Ground()
        self.tries: list[Claimed] = []
        self.accepted: set[tuple[int, int]] = set()
        self.whole: dict[tuple[int, int], int] = defaultdict(int)
        self.parts: dict[tuple[int, int], Parts] = defaultdict(dict)
        self.closed = False
        self.before = self._rows()

    def teardown(self) -> None:
        self.ground.close()

    def _rows(self) -> dict[int, Row[Any]]:
        return {row.no: row for row in self.ground.rows("SELECT * FROM delivery ORDER BY no")}

    @rule(lane=st.sampled_from(["sms", "email"]))
    def claim(self, lane: str) -> None:
        self.tries += self.ground.run(claims.claim, lane=lane, limit=3, lease_ms=60_000, stamp=self.ground.stamp())

    @precondition(lambda self: self.tries)
    @rule(which=st.randoms(use_true_random=False), outcome=st.sampled_from([Accepted("reference"), Unknown("reset")]))
    def outcome(self, which: Any, outcome: Outcome) -> None:
        one: Claimed = which.choice(self.tries)
        tried = Tried(one.leg_no, one.number, one.token, outcome, 1, 0.5)
        self.ground.run(outcomes.record, [tried], stamp=self.ground.stamp())
        if isinstance(outcome, Accepted):
            self.accepted.add((one.leg_no, one.number))

    @precondition(lambda self: self.tries)
    @rule(
        which=st.randoms(use_true_random=False),
        evidence=st.sampled_from([Evidence.DELIVERED, Evidence.ACKNOWLEDGED]),
        part=st.sampled_from([None, (1, 2), (2, 2), (1, 3), (3, 3)]),
        twice=st.booleans(),
    )
    def report(self, which: Any, evidence: Evidence, part: tuple[int, int] | None, twice: bool) -> None:  # noqa: FBT001 - drawn
        one: Claimed = which.choice(self.tries)
        key = (one.leg_no, one.number)
        number, count = part or (None, None)
        report = Report("sms", attempt_id(TAG, *key), evidence, part=number, parts=count)
        came = [receipts.Arrived(report, 0.5)] * (2 if twice else 1)
        self.ground.run(receipts.apply, came, tag=TAG, stamp=self.ground.stamp())
        self.accepted.add(key)  # Whatever reports on it has taken it.
        if number is None or count is None:
            self.whole[key] = max(self.whole[key], evidence)
        else:
            known = self.parts[key]
            known[count, number] = max(known.get((count, number), 0), evidence)

    @precondition(lambda self: self.tries)
    @rule(which=st.randoms(use_true_random=False), permanent=st.booleans())
    def negative(self, which: Any, permanent: bool) -> None:  # noqa: FBT001 - drawn
        one: Claimed = which.choice(self.tries)
        about = attempt_id(TAG, one.leg_no, one.number)
        report = Report("sms", about, Evidence.NONE, failed=True, permanent=permanent, reason="no")
        self.ground.run(receipts.apply, [receipts.Arrived(report, 0.5)], tag=TAG, stamp=self.ground.stamp())

    @rule(seconds=st.sampled_from([1, 9, 21, 70]))
    def time(self, seconds: int) -> None:
        self.ground.now_ms += seconds * 1000
        stamp = self.ground.stamp()
        self.ground.run(leases.lapse, stamp=stamp, everyone=False)
        self.ground.run(silence.break_silence, limit=1_000, jitter=0.5, stamp=stamp)
        self.ground.run(deliveries.mark_breaches, limit=1_000, stamp=stamp)
        for row in self._rows().values():
            if row.due_by is not None and row.due_by <= self.ground.now_ms and not self.closed:
                assert row.breached_at is not None or row.satisfied_at is not None, "nobody saw the hour pass"

    @precondition(lambda self: not self.closed)
    @rule(as_=st.sampled_from(["withdrawn", "expired"]), sure=st.integers(0, 5))
    def close(self, as_: str, sure: int) -> None:
        if sure == 0:
            self.ground.run(messages.close, message_id="message", closed_as=as_, stamp=self.ground.stamp())
            self.closed = True

    @invariant()
    def evidence_is_the_join_of_all_that_came_in(self) -> None:
        legs = {row.no: row.delivery_no for row in self.ground.rows("SELECT no, delivery_no FROM leg")}
        proved: dict[int, int] = defaultdict(int)
        for key in self.accepted:
            proved[legs[key[0]]] = max(proved[legs[key[0]]], self._proved(key))
        assert {no: row.evidence for no, row in self._rows().items()} == {no: proved[no] for no in self.before}

    def _proved(self, key: tuple[int, int]) -> int:
        best = max(int(Evidence.ACCEPTED), self.whole[key])
        for count in {count for count, _ in self.parts[key]}:
            best = max(best, min(self.parts[key].get((count, part), 0) for part in range(1, count + 1)))
        return best

    @invariant()
    def the_states_follow(self) -> None:
        now = self._rows()
        for no, row in now.items():
            old = self.before[no]
            assert row.state in _NEXT[old.state], (no, old.state, row.state)
            assert old.breached_at is None or row.breached_at == old.breached_at, "a breach was erased"
            assert old.satisfied_at is None or row.satisfied_at == old.satisfied_at
            assert row.state != "satisfied" or row.evidence >= row.proof
            if not self.closed:
                assert (row.state == "satisfied") == (row.evidence >= row.proof), (no, row.state, row.evidence)
            elif old.state != row.state:
                assert self.ground.now_ms <= self._closed_at, "a closed delivery changed its state"
        self.before = now

    @property
    def _closed_at(self) -> int:
        return int(self.ground.rows("SELECT closed_at FROM message")[0].closed_at)

    @invariant()
    def counters_tell_the_truth(self) -> None:
        self.ground.run(invariants.counters_tell_the_truth)


_NEXT = {
    "open": {"open", "satisfied", "exhausted"},
    "exhausted": {"exhausted", "satisfied"},
    "satisfied": {"satisfied"},
}
assert LIFE_S > 25 * 70, "the message must outlive every run of the machine"

TestDeliveryMachine = DeliveryMachine.TestCase
TestDeliveryMachine.settings = SETTINGS
