"""Operations in the thread of a line: whole, in order, and either not begun or ended."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.waiting import until
from warnd.ledger.store import Ledger, open_ledger, upgrade


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'warnd.sqlite'}"
    upgrade(url)
    ledger = open_ledger(url)
    yield ledger
    await ledger.close()


def _note(conn: Connection, key: str) -> None:
    conn.execute(text("INSERT INTO meta (key, value) VALUES (:key, '')"), {"key": key})


def _notes(conn: Connection) -> list[str]:
    return list(conn.execute(text("SELECT key FROM meta WHERE key LIKE 'note-%' ORDER BY rowid")).scalars())


class _Held:
    """An operation that has begun and goes on only when told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def op(self, conn: Connection, key: str) -> None:
        _note(conn, key)
        self.begun.set()
        assert self.go_on.wait(10)


async def test_operations_are_written_in_the_order_in_which_they_were_asked_for(ledger: Ledger) -> None:
    keys = [f"note-{n:02}" for n in range(40)]
    await asyncio.gather(*(ledger.write(_note, key) for key in keys))
    assert await ledger.read(_notes) == keys


async def test_an_operation_that_fails_leaves_nothing_and_is_told(ledger: Ledger) -> None:
    def fails(conn: Connection) -> None:
        _note(conn, "note-lost")
        conn.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(OperationalError, match="nowhere"):
        await ledger.write(fails)
    await ledger.write(_note, "note-kept")
    assert await ledger.read(_notes) == ["note-kept"]


async def test_what_has_begun_ends_before_its_cancellation_is_heard_and_what_waits_never_begins(
    ledger: Ledger,
) -> None:
    held = _Held()
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(ledger.write(held.op, "note-begun"))
        await until(held.begun.is_set)
        waiting = group.create_task(ledger.write(_note, "note-waiting"))
        assert await ledger.read(_notes) == []  # Readers see the last commit, and need not wait for a writer.
        waiting.cancel()
        begun.cancel()
        await until(waiting.done)
        assert not begun.done()
        held.go_on.set()
    assert begun.cancelled()
    assert await ledger.read(_notes) == ["note-begun"]


async def test_more_readers_than_lines_take_turns(ledger: Ledger) -> None:
    await ledger.write(_note, "note-1")
    assert await asyncio.gather(*(ledger.read(_notes) for _ in range(30))) == [["note-1"]] * 30


async def test_closing_waits_for_what_has_begun(ledger: Ledger) -> None:
    held = _Held()
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(ledger.write(held.op, "note-begun"))
        await until(held.begun.is_set)
        closing = group.create_task(ledger.close())
        held.go_on.set()
    assert begun.done()
    assert closing.done()
