"""A worker that stands still in the middle of a transaction holds the store for the others; for how long?"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from tests import postgresql
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import Ledger, open_ledger

AT_MOST_S = 5.0
_numbers = count(1)


@pytest.fixture
def url() -> Iterator[str]:
    name = f"stopped{next(_numbers)}"
    postgresql.run(f"CREATE DATABASE {name}")
    yield f"postgresql://postgres@127.0.0.1:{postgresql.port()}/{name}"
    postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


def _note(conn: Connection, *, what: str) -> None:
    conn.execute(text("CREATE TABLE IF NOT EXISTS note (what TEXT)"))
    conn.execute(text("INSERT INTO note VALUES (:what)"), {"what": what})


def _notes(conn: Connection) -> list[str]:
    return list(conn.execute(text("SELECT what FROM note ORDER BY what")).scalars())


async def test_the_others_go_on_after_some_seconds_and_it_goes_on_when_it_wakes(url: str) -> None:
    stopped, others = open_ledger(url), open_ledger(url)
    await others.write(_note, what="before")
    inside, goes_on = threading.Event(), threading.Event()

    def stand_still(conn: Connection) -> None:
        _note(conn, what="lost")
        inside.set()
        goes_on.wait()
        _note(conn, what="lost, too")

    async with asyncio.TaskGroup() as group:
        standing = group.create_task(_fails(stopped, stand_still))
        await until(inside.is_set)
        began = SystemClock().monotonic()
        await others.write(_note, what="others")
        assert SystemClock().monotonic() - began < AT_MOST_S
        goes_on.set()
        await standing
    await stopped.write(_note, what="stopped")
    assert await others.read(_notes) == ["before", "others", "stopped"]
    await stopped.close()
    await others.close()


async def _fails(ledger: Ledger, op: Callable[[Connection], None]) -> None:
    with pytest.raises(SQLAlchemyError):
        await ledger.write(op)
