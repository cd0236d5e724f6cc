"""The end of a warning's life: what is late is marked in pieces, however much it is, and closed after the last."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, text

from tests.fakes.released import STAMP, founded, release
from tests.simulation.county import VILLAGES
from warnd.ledger import claims, silence
from warnd.model.level import Level

AFTERWARDS = replace(STAMP, now_ms=STAMP.now_ms + 7 * 3600 * 1000)
_MISSED = "SELECT count(*) FROM delivery WHERE due_by IS NOT NULL AND breached_at IS NULL"


def _left(conn: Connection) -> int:
    left: int = conn.execute(text(_MISSED)).scalar_one()
    return left


def test_what_was_late_while_nobody_served_is_marked_in_pieces_before_its_message_is_closed(tmp_path: Path) -> None:
    engine = founded(tmp_path)
    with engine.begin() as conn:
        for name, village in zip(("one", "other"), VILLAGES, strict=False):
            release(conn, Level.RED, village=village, name=name)
        before, passes = _left(conn), 0
        closed: list[str] = []
        while _left(conn):
            was = _left(conn)
            closed += silence.expire(conn, stamp=AFTERWARDS, limit=2)
            assert was - _left(conn) <= 2
            assert silence.overdue(conn, now_ms=AFTERWARDS.now_ms), "nobody stops half-way"
            passes += 1
        closed += silence.expire(conn, stamp=AFTERWARDS, limit=2)
        assert closed == ["one", "other"]
        assert passes >= before // 2 > 2
        assert set(conn.execute(text("SELECT closed_as FROM message")).scalars()) == {"expired"}
    engine.dispose()


def test_nothing_is_claimed_of_what_is_over_and_not_closed_yet(tmp_path: Path) -> None:
    engine = founded(tmp_path)
    with engine.begin() as conn:
        release(conn, Level.RED)
        assert silence.expire(conn, stamp=AFTERWARDS, limit=1) == []
        assert claims.claim(conn, lane="sms", limit=100, lease_ms=60_000, stamp=AFTERWARDS) == []
    engine.dispose()
