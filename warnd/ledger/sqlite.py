"""The store as one SQLite file: how it is opened and tuned, and that one daemon alone serves it."""

import asyncio
import fcntl
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from warnd.ledger.door import Operation, P, StoreError, T
from warnd.ledger.line import Line

_READERS = 4
_CACHE_KB = 64 * 1024
_READER_CACHE_KB = 16 * 1024  # For each of four; what it does not hold, the system's own cache of the file does.
_BUSY_MS = 15_000  # How long a writer waits for another process (an import) before it gives up.


class LinedLedger:
    """The ledger of a running daemon: one line that writes, several that read; each operation runs whole in the thread of its line."""

    def __init__(self, url: URL) -> None:
        path = file_of(url)
        self._writer = Line(path, partial(_engine_over, url, "BEGIN IMMEDIATE"))
        self._readers = [Line(path, partial(_engine_over, url, "BEGIN")) for _ in range(_READERS)]
        self._free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()  # The last one used has the warmest cache.
        for reader in self._readers:
            self._free.put_nowait(reader)

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads, in one snapshot."""
        reader = await self._free.get()
        try:
            return await reader.run(lambda conn: op(conn, *args, **kwargs))
        finally:
            self._free.put_nowait(reader)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction; it is committed, durably, when this returns."""
        return await self._writer.run(lambda conn: op(conn, *args, **kwargs))

    async def close(self) -> None:
        """Close all connections."""
        for line in (self._writer, *self._readers):
            await line.close()


class FileLock:
    """One daemon per SQLite file: an advisory lock on `<file>.lock`, freed by the system however the process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreError: Another daemon holds it, or the folder cannot be written.
        """
        lock = path.with_name(path.name + ".lock")
        try:
            self._file = lock.open("a")
        except OSError as error:
            raise StoreError(
                f"Cannot write {lock}: {error.strerror}. Give the daemon's user write access to the folder."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise StoreError(f"Another warnd serves {path}. Stop it first; one SQLite file has one daemon.") from error

    def release(self) -> None:
        """Free the lock."""
        self._file.close()


def file_of(url: URL) -> Path | None:
    """Return the file of a `sqlite:///PATH` address, or None for a store in memory."""
    return Path(url.database) if url.database and url.database != ":memory:" else None


def open_sync(url: URL, *, begin: str) -> Engine:
    """Return a plain synchronous engine; `begin` is the statement that opens its transactions."""
    engine = create_engine(url, poolclass=StaticPool if file_of(url) is None else None, hide_parameters=True)
    _tune(engine, begin=begin)
    return engine


def _engine_over(url: URL, begin: str, connection: sqlite3.Connection) -> Engine:
    engine = create_engine(url, creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)
    _tune(engine, begin=begin)
    return engine


def _tune(engine: Engine, *, begin: str) -> None:
    """Set what durability and concurrency rest on, on every new connection."""

    def connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # The driver's own BEGIN would come too late and never be immediate.
        cursor = dbapi.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # A commit survives a power cut, not only a crash.
            "foreign_keys=ON",
            f"cache_size=-{_READER_CACHE_KB if begin == 'BEGIN' else _CACHE_KB}",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def started(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", started)
