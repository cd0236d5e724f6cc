"""A line to the store: one aiosqlite connection and its thread, in which operations run whole.

Statement by statement, as aiosqlite is mostly used, a transaction of five thousand statements crosses the event loop ten thousand times
(docs/decisions/0006-operations-run-whole-in-a-thread.md). Nothing here knows what an operation does.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite
from sqlalchemy import Connection, Engine

T = TypeVar("T")


class Line:
    """See the module.

    Args:
        path: The SQLite file; None = in memory, a store of this line's own.
        engine_over: Makes the engine over the raw connection; called in the line's thread.
    """

    def __init__(self, path: Path | None, engine_over: Callable[[sqlite3.Connection], Engine]) -> None:
        self._path = path
        self._engine_over = engine_over
        self._opening = asyncio.Lock()
        self._sqlite: aiosqlite.Connection | None = None
        self._engine: Engine | None = None

    async def run(self, op: Callable[[Connection], T]) -> T:
        """Return what `op` returns, or raise what it raises, in one transaction.

        First come, first served. Who is cancelled while waiting for a turn never gets one; a transaction that has begun ends, and only
        then the cancellation is heard: nobody may take a store for closed that is still written to.
        """
        line = await self._opened()
        turn: Future[T] = Future()
        try:
            await _in_thread(line, self._take, turn, op)
        except asyncio.CancelledError:
            if not turn.cancel():
                await asyncio.wait([asyncio.wrap_future(turn)])
            raise
        return turn.result()

    async def close(self) -> None:
        """Let what has begun end, and close the connection."""
        async with self._opening:
            line, self._sqlite = self._sqlite, None
            if line is not None:
                await _in_thread(line, self._dispose)
                await line.close()

    async def _opened(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._sqlite is None:
                self._sqlite = await aiosqlite.connect(self._path or ":memory:")
            return self._sqlite

    def _take(self, turn: Future[T], op: Callable[[Connection], T]) -> None:
        if not turn.set_running_or_notify_cancel():
            return
        try:
            turn.set_result(self._whole(op))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the turn
            turn.set_exception(error)

    def _whole(self, op: Callable[[Connection], T]) -> T:
        if self._engine is None:
            assert self._sqlite is not None
            self._engine = self._engine_over(self._sqlite._conn)  # noqa: SLF001 - SQLAlchemy needs the driver's own object
        with self._engine.begin() as conn:
            return op(conn)

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


async def _in_thread(line: aiosqlite.Connection, work: Callable[..., None], *values: object) -> None:
    """Run a function in the connection's thread; all that aiosqlite offers in public is single statements."""
    await cast("Any", line)._execute(work, *values)  # noqa: SLF001 - see above
