"""The warning as a machine: documents come in, are approved, turned down, replaced, cancelled and outlived, in any order.

What each of them must be is worked out here from what was done, and every move is held to a table written from DESIGN §4.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.fakes.manual_clock import ManualClock
from tests.machines import SETTINGS
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.seeded.ground import settings_and_files, store_of
from tests.simulation.virtual import START
from tests.simulation.world import ANSWER_KEY
from tests.stores import only
from warnd.daemon import Daemon
from warnd.ledger import silence
from warnd.ledger.events import Stamp
from warnd.ledger.store import InlineLedger
from warnd.ledger.values import to_ms
from warnd.model import cap
from warnd.model.authority import Principal
from warnd.model.cap import Alert
from warnd.model.submission import Fate, WrongState

pytestmark = only("sqlite", "plays on SQLite in memory, whatever the run")

T = TypeVar("T")
OPERATOR = Principal(name="operator", scope="release")
CLERK = Principal(name="clerk", scope="submit")
WAITING, LIVE = {"held", "in_review"}, {"dispatching", "completed"}
ENDS = {"rejected", "cancelled", "superseded", "expired", "quarantined"}
LEGAL = (
    {(old, new) for old in WAITING for new in ("dispatching", "rejected", "cancelled", "superseded", "expired")}
    | {(old, new) for old in LIVE for new in ("cancelled", "superseded", "expired")}
    | {("dispatching", "completed"), ("held", "in_review"), ("in_review", "held")}
)


@dataclass(slots=True)
class Known:
    """One document as it must stand."""

    alert: Alert
    id: str
    chain: str
    state: str
    released: bool = False
    said: bool = False  # A message was opened for it: somebody may have heard.


class WarningMachine(RuleBasedStateMachine):
    """The desk over a real store, with one sender."""

    def __init__(self) -> None:
        super().__init__()
        settings, files = settings_and_files()
        self.engine = store_of(2)
        self.clock = ManualClock(START)
        self.daemon = Daemon(
            settings,
            ledger=InlineLedger(self.engine),
            clock=self.clock,
            chance=Random(1),
            writer="writer",
            tag="tag",
            answer_key=ANSWER_KEY,
            files=files,
            public_url="http://127.0.0.1",
            build={},
        )
        self.known: dict[str, Known] = {}
        self.number = 0

    def teardown(self) -> None:
        self.engine.dispose()

    # ---- what is done ------------------------------------------------------------------------------------------------------------

    @rule(life_s=st.sampled_from([60, 600, 7200]), by=st.sampled_from([OPERATOR, CLERK]))
    def alert(self, life_s: int, by: Principal) -> None:
        self._bring(self._alert(life_s), by=by)

    @precondition(lambda self: self.known)
    @rule(
        which=st.randoms(use_true_random=False),
        later_s=st.sampled_from([-30, 0, 30]),
        by=st.sampled_from([OPERATOR, OPERATOR, CLERK]),
    )
    def update(self, which: Any, later_s: int, by: Principal) -> None:
        old = [one for one in self.known.values() if one.alert.msg_type != "Cancel"]
        if old:
            self._bring(self._update(which.choice(old).alert, later_s), by=by)

    @precondition(lambda self: self.known)
    @rule(which=st.randoms(use_true_random=False), by=st.sampled_from([OPERATOR, OPERATOR, CLERK]))
    def cancel(self, which: Any, by: Principal) -> None:
        self.number += 1
        old: Known = which.choice(list(self.known.values()))
        self._bring(cancel_of(old.alert, identifier=f"W-{self.number}"), by=by)

    @rule(by=st.sampled_from([OPERATOR, CLERK]), first=st.sampled_from(["Cancel", "Update"]))
    def before_its_alert(self, by: Principal, first: str) -> None:
        alert = self._alert(600)
        self.number += 1
        early = cancel_of(alert, identifier=f"W-{self.number}") if first == "Cancel" else self._update(alert, 30)
        self._bring(early, by=by)
        self._bring(alert, by=OPERATOR)

    @precondition(lambda self: self.known)
    @rule(which=st.randoms(use_true_random=False), same=st.booleans())
    def again(self, which: Any, same: bool) -> None:  # noqa: FBT001 - drawn
        one: Known = which.choice(list(self.known.values()))
        alert = one.alert if same else replace(one.alert, note="something else")
        answer = _done(self.daemon.desk.submit(cap.write(alert), by=OPERATOR))
        assert answer.fate is (Fate.SAME if same else Fate.QUARANTINED)
        assert (answer.warning_id == one.id) == same

    @precondition(lambda self: self._waiting())
    @rule(which=st.randoms(use_true_random=False), yes=st.booleans())
    def decide(self, which: Any, yes: bool) -> None:  # noqa: FBT001 - drawn
        one: Known = which.choice(self._waiting())
        if not yes:
            _done(self.daemon.desk.reject(one.id, by=OPERATOR, reason="no"))
            one.state = "rejected"
            return
        answer = _done(self.daemon.desk.approve(one.id, by=OPERATOR))
        if one.alert.msg_type != "Cancel" and self._over(one):
            assert answer.fate is Fate.HELD, "what has no life left cannot go out"
        else:
            self._released(one)

    @precondition(lambda self: self.known)
    @rule(which=st.randoms(use_true_random=False))
    def decide_what_does_not_wait(self, which: Any) -> None:
        one: Known = which.choice(list(self.known.values()))
        if one.state not in WAITING:
            with pytest.raises(WrongState):
                _done(self.daemon.desk.approve(one.id, by=OPERATOR))

    @rule(seconds=st.sampled_from([1, 30, 61, 601]))
    def time(self, seconds: int) -> None:
        self.clock.set_wall(self.clock.now() + timedelta(seconds=seconds))
        stamp = Stamp(to_ms(self.clock.now()), "writer")
        with self.engine.begin() as conn:
            silence.expire(conn, stamp=stamp)
        for one in self.known.values():
            if one.state in WAITING | LIVE and one.alert.msg_type != "Cancel" and self._over(one):
                one.state = "expired"

    @precondition(lambda self: self.known)
    @rule(which=st.randoms(use_true_random=False), new=st.sampled_from(sorted(WAITING | LIVE | ENDS)))
    def the_database_refuses(self, which: Any, new: str) -> None:
        one: Known = which.choice(list(self.known.values()))
        if (one.state, new) not in LEGAL and one.state != new:
            with pytest.raises(IntegrityError), self.engine.begin() as conn:
                conn.execute(text("UPDATE warning SET state = :new WHERE id = :id"), {"new": new, "id": one.id})

    # ---- what must come of it ------------------------------------------------------------------------------------------------------

    def _bring(self, alert: Alert, *, by: Principal) -> None:
        answer = _done(self.daemon.desk.submit(cap.write(alert), by=by))
        meant = self._meant(alert)
        if alert.msg_type == "Update" and self._cannot_be_placed(alert):
            expected = "held"
        elif alert.msg_type == "Alert" and self._was_cancelled(alert) is not None:
            expected = "cancelled"
        else:
            expected = "in_review"
        assert answer.warning_id is not None, answer
        one = Known(alert, answer.warning_id, meant or answer.warning_id, expected)
        self.known[alert.identifier] = one
        if expected == "in_review" and by is OPERATOR:
            self._released(one)

    def _released(self, one: Known) -> None:
        if one.chain == one.id:
            one.chain = self._meant(one.alert) or one.id
        others = [each for each in self.known.values() if each.chain == one.chain and each is not one]
        if one.alert.msg_type == "Cancel":
            told = any(each.said for each in others)
            for each in others:
                if each.state in WAITING | LIVE:
                    each.state = "superseded" if each.alert.msg_type == "Cancel" else "cancelled"
            one.state, one.released, one.said = "dispatching" if told else "completed", True, told
            return
        sent = one.alert.sent
        versions = [each for each in others if each.alert.msg_type != "Cancel"]
        if any(each.released and each.alert.sent >= sent for each in versions):
            one.state = "superseded"
            return
        for each in others:
            older = each.alert.msg_type != "Cancel" and each.alert.sent <= sent
            if each.state in WAITING | LIVE and (each.released or older):
                each.state = "superseded"
        one.state, one.released, one.said = "dispatching", True, True

    def _meant(self, alert: Alert) -> str | None:
        """Return the chain that a document belongs to, if it is known."""
        named = [self.known[each.identifier] for each in alert.references if each.identifier in self.known]
        if named:
            return named[0].chain
        if alert.msg_type != "Alert":
            return None
        early = [one for one in self._naming(alert) if one.released]
        updates = [one for one in early if one.alert.msg_type == "Update"]
        return (updates or early)[0].chain if early else None

    def _naming(self, alert: Alert) -> list[Known]:
        named = (alert.sender, alert.identifier)
        return [one for one in self.known.values() if named in [each.key for each in one.alert.references]]

    def _was_cancelled(self, alert: Alert) -> Known | None:
        return next((one for one in self._naming(alert) if one.released and one.alert.msg_type == "Cancel"), None)

    def _cannot_be_placed(self, alert: Alert) -> bool:
        chain = self._meant(alert)
        ended = [one for one in self.known.values() if one.chain == chain and one.alert.msg_type == "Cancel"]
        return chain is None or any(one.released for one in ended)

    def _waiting(self) -> list[Known]:
        return [one for one in self.known.values() if one.state in WAITING]

    def _over(self, one: Known) -> bool:
        return one.alert.expires is not None and one.alert.expires <= self.clock.now()

    def _alert(self, life_s: int) -> Alert:
        self.number += 1
        sent = self.clock.now().replace(microsecond=0)
        life = timedelta(seconds=life_s)
        return flood(identifier=f"W-{self.number}", codes=(VILLAGES[0],), sent=sent, life=life)

    def _update(self, old: Alert, later_s: int) -> Alert:
        self.number += 1
        sent = old.sent + timedelta(seconds=later_s)
        life = self.clock.now() + timedelta(seconds=900) - sent
        fresh = flood(identifier=f"W-{self.number}", codes=(VILLAGES[1],), sent=sent, life=life)
        return replace(fresh, msg_type="Update", references=cancel_of(old).references)

    @invariant()
    def every_warning_stands_as_it_must(self) -> None:
        with self.engine.begin() as conn:
            rows = conn.execute(text("SELECT id, state FROM warning WHERE state <> 'quarantined'"))
            assert {row.id: row.state for row in rows} == {one.id: one.state for one in self.known.values()}

    @invariant()
    def every_move_is_legal_and_on_record(self) -> None:
        with self.engine.begin() as conn:
            rows = conn.execute(
                text("SELECT data ->> '$.old', data ->> '$.new' FROM event WHERE kind = 'warning.moved'")
            )
            assert {tuple(row) for row in rows} <= LEGAL

    @invariant()
    def a_message_is_open_exactly_while_its_warning_lives(self) -> None:
        with self.engine.begin() as conn:
            opened = set(conn.execute(text("SELECT id FROM message WHERE closed_as IS NULL")).scalars())
        assert opened == {one.id for one in self.known.values() if one.said and one.state in LIVE}


def _done(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never waits: on an inline ledger the desk's never do."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise AssertionError("it waits for something")


TestWarningMachine = WarningMachine.TestCase
TestWarningMachine.settings = SETTINGS
