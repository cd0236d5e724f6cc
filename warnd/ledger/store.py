"""Opens the ledger and runs operations in transactions: the narrow door through which everything else reaches the tables.

An operation is a synchronous function `op(conn, **values)` in this package; it never commits. `write` gives it one transaction that
holds the write lock from its beginning, `read` one snapshot. A running daemon hands each operation whole to a line's thread; the inline
ledger runs them in the caller's thread, because threads would break the determinism of simulated time.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from warnd.ledger.line import Line
from warnd.ledger.migrations import NewerStore, migrate

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[Concatenate[Connection, P], T]

_READERS = 4
_BUSY_MS = 15_000  # How long a writer waits for another process (an import) before it gives up.


class StoreError(Exception):
    """The store cannot be opened; the text says what, where and what to do."""


class Ledger(Protocol):
    """Where operations run."""

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads, in one snapshot."""
        ...

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction; it is committed, durably, when this returns."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class LinedLedger:
    """The ledger of a running daemon: one line that writes, several that read; each operation runs whole in the thread of its line."""

    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
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


def _engine_over(url: str, begin: str, connection: sqlite3.Connection) -> Engine:
    engine = create_engine(_parsed(url), creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)
    _tune(engine, begin=begin)
    return engine


class InlineLedger:
    """The ledger of tests and simulation: the same operations on plain SQLite in the caller's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads."""
        with self._engine.begin() as conn:
            return op(conn, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction."""
        with self._engine.begin() as conn:
            return op(conn, *args, **kwargs)

    async def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:///PATH` address, or None for a store in memory.

    Raises:
        StoreError: The address is of another kind.
    """
    parsed = _parsed(url)
    return Path(parsed.database) if parsed.database and parsed.database != ":memory:" else None


def open_engine(url: str, *, begin: str = "BEGIN IMMEDIATE") -> Engine:
    """Return a plain synchronous engine with the daemon's own pragmas: for imports and the tools that open the store directly.

    Args:
        url: As in `store.url`.
        begin: "BEGIN" gives transactions that take no lock as long as they only read.
    """
    engine = create_engine(
        _parsed(url), poolclass=StaticPool if sqlite_path(url) is None else None, hide_parameters=True
    )
    _tune(engine, begin=begin)
    return engine


def upgrade(url: str) -> None:
    """Create the tables, or bring them to this version; nothing happens if they are.

    Raises:
        StoreError: The file cannot be opened or belongs to a newer warnd.
    """
    engine = open_engine(url)
    try:
        with _opening(url), engine.begin() as conn:
            migrate(conn)
    finally:
        engine.dispose()


def open_inline(url: str = "sqlite:///:memory:") -> InlineLedger:
    """Open a ledger that runs in the caller's thread, upgraded."""
    engine = open_engine(url)
    with engine.begin() as conn:
        migrate(conn)
    return InlineLedger(engine)


def open_ledger(url: str) -> LinedLedger:
    """Open the ledger of a running daemon; call `upgrade` first."""
    return LinedLedger(url)


class DaemonLock:
    """One daemon per SQLite file: an advisory lock on `<file>.lock`, freed by the system however the process ends."""

    def __init__(self, url: str) -> None:
        """Take the lock.

        Raises:
            StoreError: Another daemon holds it, or the folder cannot be written.
        """
        path = sqlite_path(url)
        if path is None:
            self._file = None
            return
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
        if self._file is not None:
            self._file.close()


def _parsed(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername != "sqlite":
        raise StoreError(f"store.url {parsed.render_as_string()} is not supported. Write sqlite:///PATH.")
    return parsed


class _opening:  # noqa: N801 - reads as a clause in a with statement
    """Turns the driver's failure to open the file into words for an operator."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NewerStore):
            raise StoreError(f"{self._url}: {error} Install the version that wrote it, or restore a backup.") from error
        if isinstance(error, DatabaseError):
            raise StoreError(
                f"Cannot open {self._url}: {error.orig}. Check that the folder exists, that this user may write it, "
                "and that the file is a warnd store."
            ) from error


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
            "cache_size=-65536",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def started(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", started)


def file(conn: Connection) -> Path | None:
    """Return the file that holds the store, or None where this machine has none."""
    database = conn.engine.url.database if conn.dialect.name == "sqlite" else None
    return Path(database) if database and database != ":memory:" else None


def ready(conn: Connection) -> bool:
    """Say whether the store answers."""
    return bool(conn.execute(text("SELECT 1")).scalar_one() == 1)
