"""Who is told by another channel when one is blocked: the urgent, once, by the next in the plan's order, a bounded number at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from tests.fakes.released import NOW, STAMP, founded, release
from warnd.ledger import detours
from warnd.model.level import Level


@contextmanager
def with_mail_and_chat_standing_by(folder: Path, level: Level = Level.RED) -> Iterator[Connection]:
    """A released message whose people could be told by mail and by chat, if texts did not do."""
    engine = founded(folder)
    try:
        with engine.begin() as conn:
            release(conn, level, public=True)
            for step, channel in enumerate(("email", "apprise"), start=1):
                conn.execute(
                    text(
                        "INSERT INTO leg (message_no, delivery_no, channel, address, lane, step, priority, state, due_at, attempts, tries, "
                        "failures, tries_max, wait_ms, repeat, token) SELECT message_no, delivery_no, :channel, address, :channel, :step, "
                        "priority, 'standby', due_at, 0, 0, 0, 3, wait_ms, 0, 0 FROM leg WHERE channel = 'sms' ORDER BY no"
                    ),
                    {"channel": channel, "step": step},
                )
            yield conn
    finally:
        engine.dispose()


def started(conn: Connection, channel: str) -> int:
    """Return how many legs of a channel have begun."""
    found = conn.execute(
        text("SELECT count(*) FROM leg WHERE channel = :channel AND state <> 'standby'"), {"channel": channel}
    )
    return int(found.scalar_one())


def block(conn: Connection, lane: str, *, limit: int = 1_000) -> list[int]:
    """Look once through all that stand by; return how many started in each transaction."""
    counts, after, looking = [], 0, True
    while looking:
        count, after = detours.start(conn, lane=lane, after=after, limit=limit, stamp=STAMP)
        counts.append(count)
        looking = after > 0
    return counts


def test_each_delivery_starts_its_next_channel_once(tmp_path: Path) -> None:
    with with_mail_and_chat_standing_by(tmp_path) as conn:
        people = started(conn, "sms")
        assert sum(block(conn, "sms")) == people
        assert (started(conn, "email"), started(conn, "apprise")) == (people, 0)
        assert block(conn, "sms") == [0], "texts are still blocked; mail has its chance first"
        assert sum(block(conn, "email")) == people, "now mail is blocked, too"
        assert started(conn, "apprise") == people
        still_due = conn.execute(text("SELECT count(*) FROM leg WHERE channel = 'sms' AND state = 'due'")).scalar_one()
        assert still_due == people, "texts go on when they can"
        failures = conn.execute(text("SELECT max(failures) FROM leg")).scalar_one()
        assert failures == 0


def test_no_transaction_starts_more_than_its_bound(tmp_path: Path) -> None:
    with with_mail_and_chat_standing_by(tmp_path) as conn:
        people = started(conn, "sms")
        counts = block(conn, "sms", limit=4)
        assert max(counts) <= 4
        assert sum(counts) == people
        told = conn.execute(text("SELECT count(*) FROM event WHERE kind = 'lane.bypassed'")).scalar_one()
        assert told == sum(count > 0 for count in counts)


def test_yellow_and_blue_wait_and_so_does_whoever_was_told(tmp_path: Path) -> None:
    with with_mail_and_chat_standing_by(tmp_path, Level.YELLOW) as conn:
        assert block(conn, "sms") == [0]
        conn.execute(text("UPDATE message SET urgency = 1"))
        conn.execute(text("UPDATE leg SET state = 'waiting' WHERE channel = 'sms'"))
        assert block(conn, "sms") == [0], "a gateway took these before it was blocked"
        conn.execute(
            text("UPDATE leg SET state = 'due', due_at = :later WHERE channel = 'sms'"), {"later": NOW + 300_000}
        )
        assert block(conn, "sms") == [0], "these were not to be tried now anyway"


def test_a_closed_message_starts_nothing(tmp_path: Path) -> None:
    with with_mail_and_chat_standing_by(tmp_path) as conn:
        conn.execute(text("UPDATE message SET closed_as = 'withdrawn'"))
        assert block(conn, "sms") == [0]
