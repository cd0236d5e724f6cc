"""What a group of outcomes does that tells of one try more than once: two who asked the provider may hear in the same moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tests.fakes.released import NOW, STAMP, claim_all, founded, release
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.ledger import outcomes, tallies
from warnd.ledger.outcomes import Tried
from warnd.model.documents import ChannelCounts
from warnd.model.level import Level


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    engine = founded(tmp_path)
    with engine.begin() as made:
        yield made
    engine.dispose()


def _told(leg_no: int, token: int, outcome: Outcome) -> Tried:
    return Tried(leg_no=leg_no, number=1, token=token, outcome=outcome, parts=2, jitter=0.5)


def test_what_two_found_out_at_once_counts_once(conn: Connection) -> None:
    no = release(conn, Level.RED)
    tries = claim_all(conn, "sms")
    outcomes.record(conn, [_told(one.leg_no, one.token, Unknown("reset")) for one in tries], stamp=STAMP)
    found = [_told(one.leg_no, -1, Accepted("SM1")) for one in tries]
    outcomes.record(conn, [*found, *found], stamp=STAMP)
    legs = conn.execute(text("SELECT DISTINCT state, tries, evidence FROM leg WHERE channel = 'sms' AND attempts = 1"))
    assert [tuple(row) for row in legs] == [("waiting", 1, 1)]
    assert tallies.segments(conn, [no]) == {no: {"sms": 2 * len(tries)}}
    assert tallies.evidence(conn, [no])[no]["sms"] == ChannelCounts(accepted=len(tries))


def test_of_two_answers_that_differ_the_first_decides_and_acceptance_is_kept(conn: Connection) -> None:
    release(conn, Level.RED)
    one = claim_all(conn, "sms")[0]
    refused = _told(one.leg_no, one.token, Failed("503", retry_after_s=7.0))
    outcomes.record(conn, [refused, _told(one.leg_no, one.token, Accepted("SM1"))], stamp=STAMP)
    (leg,) = conn.execute(text("SELECT state, due_at, tries FROM leg WHERE no = :no"), {"no": one.leg_no})
    assert tuple(leg) == ("due", NOW + 7_000, 0)
    (evidence,) = conn.execute(
        text("SELECT evidence FROM delivery WHERE no = (SELECT delivery_no FROM leg WHERE no = :no)"),
        {"no": one.leg_no},
    ).scalars()
    assert evidence == 1


def test_a_number_of_segments_that_cannot_be_is_not_believed_and_spoils_nothing(conn: Connection) -> None:
    no = release(conn, Level.RED)
    tries = claim_all(conn, "sms")
    told = [_told(one.leg_no, one.token, Accepted("SM1", segments=10**30)) for one in tries]
    outcomes.record(conn, told, stamp=STAMP)
    assert tallies.segments(conn, [no]) == {no: {"sms": 2 * len(tries)}}
