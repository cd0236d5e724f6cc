"""Receipts in any order, late, twice, one by one or in groups: the evidence and the village come out the same."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from tests import invariants
from tests.fakes.released import NOW, STAMP, TAG, VILLAGE, claim_all, founded, release
from tests.simulation.virtual import START
from warnd.channel import Accepted, Playback, Reply, Report
from warnd.ledger import outcomes, playbacks, receipts
from warnd.ledger.events import Stamp
from warnd.ledger.node import attempt_id
from warnd.ledger.outcomes import Tried
from warnd.model.evidence import Evidence
from warnd.model.level import Level

Receipt = Report | Reply | Playback


@pytest.fixture(scope="module", params=[Level.RED, Level.YELLOW], ids=["both", "either"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A county with one message: texts taken by the gateway, the topic by the broker, and no receipt yet."""
    made = founded(tmp_path_factory.mktemp("orders"))
    with made.begin() as conn:
        _send_everything(conn, request.param)
    yield made
    made.dispose()


def _send_everything(conn: Connection, level: Level) -> None:
    release(conn, level)
    accepted = [Tried(c.leg_no, c.number, c.token, Accepted(), 2, 0.5) for c in claim_all(conn)]
    outcomes.record(conn, accepted, stamp=STAMP)


class Senders:
    """Makes receipts about the village's officer and its loudspeaker."""

    def __init__(self, conn: Connection) -> None:
        leg = conn.execute(
            text(
                "SELECT l.no, l.address FROM leg l JOIN delivery d ON d.no = l.delivery_no JOIN recipient r ON r.no = d.recipient_no "
                "WHERE r.id = :id"
            ),
            {"id": f"officer-{VILLAGE}"},
        ).one()
        self.attempt = attempt_id(TAG, leg.no, 1)
        self.address: str = leg.address
        digit = conn.execute(text("SELECT digit FROM reply_digit WHERE address = :a"), {"a": leg.address})
        self.digit = str(digit.scalar_one())

    def report(self, part: int | None = None, *, failed: bool = False) -> Report:
        evidence = Evidence.NONE if failed else Evidence.DELIVERED
        parts = None if part is None else 2
        return Report("sms", self.attempt, evidence, failed=failed, part=part, parts=parts)

    def reply(self, said: str | None = None, *, after_s: int = 0) -> Reply:
        return Reply("sms", self.address, said or self.digit, at=START + timedelta(seconds=after_s))

    def playback(self, stage: Any, n: int, **changed: Any) -> Playback:
        usual: dict[str, Any] = {
            "channel": "mqtt",
            "drill": False,
            "terminal": f"term-{VILLAGE}",
            "boot_id": "boot",
            "n": n,
            "message_id": "alert",
            "seq": 1,
            "stage": stage,
            "pass_done": int(stage == "played"),
            "played_ms": 0,
            "amplifier": "ok",
            "reason": None,
            "at": None,
        }
        return Playback(**(usual | changed))

    def all(self) -> list[Receipt]:
        """One of every kind that matters, and some twice."""
        return [
            self.report(),
            self.report(1),
            self.report(2),
            self.report(2, failed=True),
            self.report(failed=True),
            self.reply(),
            self.reply(after_s=9),
            self.reply("收到", after_s=3),
            self.reply("谁啊", after_s=4),
            self.playback("received", 1),
            self.playback("playing", 2),
            self.playback("played", 3, amplifier="fault", reason="amplifier"),
            self.playback("failed", 4, reason="higher_priority"),
            self.playback("played", 5),
            self.playback("played", 5),
            self.playback("played", 1, boot_id="later boot", at=START - timedelta(days=20_000)),
        ]


def _apply(conn: Connection, arrived: Sequence[Receipt], *, jitter: float = 0.5) -> None:
    for place, receipt in enumerate(arrived):
        stamp = Stamp(NOW + 1_000 * (place + 1), "writer")
        if isinstance(receipt, Playback):
            playbacks.apply(conn, [(receipt, jitter)], stamp=stamp)
        else:
            receipts.apply(conn, [receipts.Arrived(receipt, jitter)], tag=TAG, stamp=stamp)


Outcome = tuple[tuple[tuple[str, int, str], ...], bool]


def _outcome(conn: Connection) -> Outcome:
    """Return evidence and state of officer and loudspeaker, and whether the village is confirmed."""
    rows = conn.execute(
        text(
            "SELECT r.id, d.evidence, d.state FROM delivery d JOIN recipient r ON r.no = d.recipient_no "
            "WHERE r.id IN (:officer, :terminal) ORDER BY r.id"
        ),
        {"officer": f"officer-{VILLAGE}", "terminal": f"term-{VILLAGE}"},
    )
    told = tuple((row.id, row.evidence, row.state) for row in rows)
    village = conn.execute(text("SELECT confirmed_at FROM target WHERE code = :code"), {"code": VILLAGE})
    return told, village.scalar_one() is not None


def _after(engine: Engine, arrived: Sequence[Receipt]) -> Outcome:
    """Apply receipts to the store as it was founded; nothing of it stays."""
    with engine.connect() as conn, conn.begin() as transaction:
        _apply(conn, arrived)
        invariants.counters_tell_the_truth(conn)
        found_out = _outcome(conn)
        transaction.rollback()
    return found_out


SETS = {
    "parts, one of them refused once": (1, 2, 3),
    "whole and parts": (0, 1, 2, 4),
    "part, reply, playback": (1, 2, 5, 13),
    "refused and answered": (3, 4, 5, 6, 7),
    "fault first, then well": (9, 11, 13, 5, 8),
    "twice and late": (13, 14, 15, 6, 7),
    "never whole": (1, 3, 9, 11, 12),
}


@pytest.mark.parametrize("chosen", SETS.values(), ids=SETS.keys())
def test_every_order_of_up_to_five_receipts_proves_the_same(engine: Engine, chosen: tuple[int, ...]) -> None:
    with engine.connect() as conn:
        every = Senders(conn).all()
    came = [every[place] for place in chosen]
    outcomes_seen = {_after(engine, order) for order in permutations(came)}
    assert len(outcomes_seen) == 1, outcomes_seen


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 15), max_size=14), seed=st.integers(0, 2**32))
def test_longer_lists_in_two_orders_prove_the_same(engine: Engine, places: list[int], seed: int) -> None:
    with engine.connect() as conn:
        every = Senders(conn).all()
    came = [every[place] for place in places]
    shuffled = random.Random(seed).sample(came, len(came))
    assert _after(engine, came) == _after(engine, shuffled)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 15), max_size=12))
def test_evidence_never_falls_and_satisfied_stays_satisfied(engine: Engine, places: list[int]) -> None:
    with engine.connect() as conn, conn.begin() as transaction:
        every = Senders(conn).all()
        before = invariants.standing(conn)
        for place in places:
            _apply(conn, [every[place]])
            after = invariants.standing(conn)
            invariants.never_fell(before, after)
            before = after
        invariants.proofs_stand(conn)
        invariants.villages_are_confirmed_by_receipts(conn)
        transaction.rollback()


def test_one_refused_part_of_two_proves_no_delivery_and_is_called_partial(engine: Engine) -> None:
    with engine.connect() as conn, conn.begin() as transaction:
        sender = Senders(conn)
        _apply(conn, [sender.report(1), sender.report(2, failed=True)])
        row = conn.execute(
            text(
                "SELECT a.state, a.reason, l.state AS leg, l.repeat FROM attempt a JOIN leg l ON l.no = a.leg_no WHERE l.address = :a"
            ),
            {"a": sender.address},
        ).one()
        assert row.state == "failed"
        assert row.reason.startswith("partial: part 2 of 2")
        assert (row.leg, row.repeat) == ("due", 1)
        assert _outcome(conn)[0][0][1] == Evidence.ACCEPTED
        transaction.rollback()


def test_a_late_refusal_of_what_was_delivered_whole_takes_nothing_back(engine: Engine) -> None:
    with engine.connect() as conn, conn.begin() as transaction:
        sender = Senders(conn)
        _apply(conn, [sender.report(), sender.report(failed=True)])
        leg = conn.execute(text("SELECT state, failures FROM leg WHERE address = :a"), {"a": sender.address}).one()
        assert leg.failures == 0
        assert leg.state in {"waiting", "done"}
        assert _outcome(conn)[0][0][1] == Evidence.DELIVERED
        transaction.rollback()
