"""Opens the ledger and runs operations in transactions: the narrow door through which everything else reaches the tables.

An operation is a synchronous function `op(conn, **values)` in this package; it never commits. `write` gives it one transaction that
holds the write lock from its beginning, `read` one snapshot. A running daemon hands each operation whole to a thread; the inline
ledger runs them in the caller's thread, because threads would break the determinism of simulated time.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError

from warnd.ledger import sqlite
from warnd.ledger.address import spread, without_password
from warnd.ledger.door import Ledger, Operation, P, StoreError, T
from warnd.ledger.migrations import NewerStore, migrate, newest

__all__ = [
    "DaemonLock",
    "InlineLedger",
    "Ledger",
    "StoreError",
    "file",
    "open_engine",
    "open_inline",
    "open_ledger",
    "ready",
    "refusal",
    "shared",
    "shown",
    "sqlite_path",
    "upgrade",
    "usable",
]

_POSTGRESQL = "postgresql"
_SQLITE = "sqlite"


class InlineLedger:
    """The ledger of tests and simulation: the same operations in the caller's thread."""

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
    """Return the file of a `sqlite:///PATH` address, or None for a store that is no file.

    Raises:
        StoreError: The address is of no known kind.
    """
    parsed = _parsed(url)
    return sqlite.file_of(parsed) if parsed.drivername == _SQLITE else None


def shared(url: str) -> bool:
    """Say whether several workers may serve this store at once."""
    return _parsed(url).drivername == _POSTGRESQL


def shown(url: str) -> str:
    """Return the address as people may see it: without its password."""
    return _parsed(url).render_as_string(hide_password=True) if "," not in url else without_password(url)


def open_engine(url: str, *, begin: str = "BEGIN IMMEDIATE") -> Engine:
    """Return a plain synchronous engine that opens the store as the daemon does: for imports and the tools that open it directly.

    Args:
        url: As in `store.url`.
        begin: "BEGIN" gives transactions that only read and hold up nobody.
    """
    parsed = _parsed(url)
    if parsed.drivername == _POSTGRESQL:
        from warnd.ledger import postgres  # noqa: PLC0415 - its driver takes a tenth of a start, which a file does not need

        return postgres.open_sync(parsed, writes=begin != "BEGIN")
    return sqlite.open_sync(parsed, begin=begin)


def upgrade(url: str) -> str | None:
    """Create the tables, or bring them to this version; nothing happens if they are.

    Returns:
        The migration of a newer warnd that the store stands at, if this version can work there all the same; else None.

    Raises:
        StoreError: The store cannot be opened, or belongs to a newer warnd and needs it.
    """
    with _opening(url):
        if _run(open_engine(url, begin="BEGIN"), usable):  # A look that holds up nobody.
            return None
        return _run(open_engine(url), _migrated)


def usable(conn: Connection) -> bool:
    """Say whether the store stands at this version.

    Raises:
        StoreError: It never can.
    """
    if conn.dialect.name == _POSTGRESQL:
        from warnd.ledger import postgres  # noqa: PLC0415 - as above

        postgres.check(conn)
    return newest(conn)


def _migrated(conn: Connection) -> str | None:
    if conn.dialect.name == _POSTGRESQL:
        from warnd.ledger import postgres  # noqa: PLC0415 - as above

        postgres.take_time(conn)
    return migrate(conn)


def _run(engine: Engine, op: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as conn:
            return op(conn)
    finally:
        engine.dispose()


def open_inline(url: str = "sqlite:///:memory:") -> InlineLedger:
    """Open a ledger that runs in the caller's thread, upgraded."""
    engine = open_engine(url)
    with engine.begin() as conn:
        migrate(conn)
    return InlineLedger(engine)


def open_ledger(url: str) -> Ledger:
    """Open the ledger of a running daemon; call `upgrade` first."""
    parsed = _parsed(url)
    if parsed.drivername == _POSTGRESQL:
        from warnd.ledger import postgres  # noqa: PLC0415 - as above

        return postgres.SharedLedger(parsed)
    return sqlite.LinedLedger(parsed)


class DaemonLock:
    """One daemon per SQLite file. A shared store needs no such lock: its workers tell each other apart by their leases."""

    def __init__(self, url: str) -> None:
        """Take the lock.

        Raises:
            StoreError: Another daemon holds it, or the folder cannot be written.
        """
        path = sqlite_path(url)
        self._held = sqlite.FileLock(path) if path is not None else None

    def release(self) -> None:
        """Free the lock."""
        if self._held is not None:
            self._held.release()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(spread(url))
    except ArgumentError as error:
        raise StoreError("store.url is no address. Write sqlite:///PATH or postgresql://USER@HOST/DATABASE.") from error
    if parsed.drivername not in {_SQLITE, _POSTGRESQL}:
        raise StoreError(
            f"store.url {parsed.render_as_string()} is not supported. Write sqlite:///PATH or postgresql://USER@HOST/DATABASE."
        )
    return parsed


class _opening:  # noqa: N801 - reads as a clause in a with statement
    """Turns the driver's failure to open the store into words for an operator."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, NewerStore):
            raise StoreError(
                f"{shown(self._url)}: {error} Install the version that wrote it, or restore a backup."
            ) from error
        if isinstance(error, DatabaseError):
            raise StoreError(refusal(self._url, error)) from error


def refusal(url: str, error: DBAPIError) -> str:
    """Return why a store cannot be worked with and what to do, in one line; without its password."""
    cause = " ".join(str(error.orig).partition("\nLINE ")[0].split()).rstrip(".?")
    if shared(url):
        from warnd.ledger import postgres  # noqa: PLC0415 - as above

        advice = postgres.advice(_parsed(url), error)
    else:
        advice = "Check that the folder exists, that this user may write it, and that the file is a warnd store."
    return f"Cannot open {shown(url)}: {cause}. {advice}"


def file(conn: Connection) -> Path | None:
    """Return the file that holds the store, or None where this machine has none."""
    return sqlite.file_of(conn.engine.url) if conn.dialect.name == _SQLITE else None


def ready(conn: Connection) -> bool:
    """Say whether the store answers."""
    return bool(conn.execute(text("SELECT 1")).scalar_one() == 1)
