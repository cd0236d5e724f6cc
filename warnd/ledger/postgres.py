"""The store as a PostgreSQL database that several workers share.

Operations were written for a store in which one writes at a time. Here the same holds over all workers: each writing transaction takes
one advisory lock at its beginning, which the server frees at its end however that comes. The lock lasts for the transaction only, so
that a pooler may hand connections from one transaction to the next.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoTurn

from warnd.ledger.connecting import Patient, bounds, connect_within, leave_a_standby
from warnd.ledger.door import Operation, P, StoreError, T

_READERS = 4
_WRITE_LOCK = 0x7761726E64  # "warnd"; any number that nobody else uses in this database.
_SERVED_S = (
    15  # For one statement of a daemon, whose operations take milliseconds; as long as a writer waits on SQLite.
)
_STATEMENT_S = 60  # For one statement of whoever opens the store directly.
_LOCK_S = 12
_TURN_S = 15  # Whoever did not get a turn in this time is told so: a request must not hang because the server does.
_SILENT_S = 3  # A server that is longer silent than its own bound is not there.
_SERVED_IDLE_S = 3  # A daemon that stopped in the middle of a transaction holds up the others no longer than this.
_IDLE_S = 10  # The same of whoever opens the store directly: an import may think between two statements.
_AGAIN = 5
_ROLLED_BACK = frozenset(
    {"40001", "40P01"}
)  # Serialization failure, deadlock: nothing happened, so it may be tried again.
_LOCKED = "55P03"  # lock_not_available
_ALONE = f"; SELECT pg_advisory_xact_lock({_WRITE_LOCK})"


class SharedLedger:
    """The ledger of a worker: one thread that writes, several that read; each operation runs whole in one of them.

    Args:
        url: As `warnd.ledger.store` parsed it.
        statement_s: For one statement; a server that stays silent a few seconds longer is given up.
        turn_s: How long an operation waits until it begins.
    """

    def __init__(self, url: URL, *, statement_s: int = _SERVED_S, turn_s: float = _TURN_S) -> None:
        self._turn_s = turn_s
        self._writing, self._reading = (
            _served(url, connections=1, writes=True, statement_s=statement_s),
            _served(url, connections=_READERS, writes=False, statement_s=statement_s),
        )
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-read")

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads, in one snapshot."""
        turn = self._readers.submit(_run, self._reading, lambda conn: op(conn, *args, **kwargs))
        return await _ended(turn, turn_s=self._turn_s, to_the_end=False)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction, alone in the whole store; it is committed, durably, when this returns."""
        turn = self._writer.submit(_run, self._writing, lambda conn: op(conn, *args, **kwargs))
        return await _ended(turn, turn_s=self._turn_s, to_the_end=True)

    async def close(self) -> None:
        """Let what has begun end, and close all connections."""
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        for engine in (self._writing, self._reading):
            engine.dispose()


def open_sync(url: URL, *, writes: bool) -> Engine:
    """Return a plain synchronous engine; each of its transactions is alone, or else reads one snapshot."""
    return _direct(url, writes=writes, statement_s=_STATEMENT_S)


def take_time(conn: Connection) -> None:
    """Let the statements of this transaction take as long as they need: an index over many millions of rows, made by a migration."""
    conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
    own: Any = conn.connection.dbapi_connection  # SQLAlchemy knows only what all drivers' connections can do.
    assert isinstance(own, Patient)
    own.patience_s = None


async def _ended(turn: Future[T], *, turn_s: float, to_the_end: bool) -> T:
    """Return what a thread returns, or refuse for it if its turn does not come.

    `to_the_end`: whoever is cancelled while it runs hears of it only after its end. Nobody may take a store for closed that is still
    written to.
    """
    result = asyncio.wrap_future(turn)
    result.add_done_callback(_heard)
    try:
        done, _ = await asyncio.wait([result], timeout=turn_s)
        if not done and turn.cancel():
            raise NoTurn(f"the store was busy, or did not answer, for {turn_s:g} s")
        return await result
    except asyncio.CancelledError:
        if not turn.cancel() and to_the_end:
            await asyncio.wait([asyncio.wrap_future(turn)])
        raise


def _heard(result: asyncio.Future[T]) -> None:
    """Look at what became of it, even if whoever asked has gone: asyncio would call an error that nobody looks at a mistake."""
    if not result.cancelled():
        result.exception()


def _run(engine: Engine, op: Callable[[Connection], T]) -> T:
    began = False

    def whole(conn: Connection) -> T:
        nonlocal began
        began = True
        return op(conn)

    for tries in range(_AGAIN):
        try:
            with engine.begin() as conn:
                return whole(conn)
        except DBAPIError as error:
            # A connection to the server before a failover; the pool has thrown all of those away.
            stale = error.connection_invalidated and not began and tries == 0
            if not stale and getattr(error.orig, "sqlstate", None) not in _ROLLED_BACK:
                raise
    with engine.begin() as conn:
        return op(conn)


def _served(url: URL, *, connections: int, writes: bool, statement_s: int) -> Engine:
    """Return a daemon's engine: what opens a transaction goes to the server as one, and finds out whether the connection lives.

    Dozens of small transactions a second stand in line for the store; each word that is not said makes all of them faster.
    """
    kind = "READ COMMITTED" if writes else "REPEATABLE READ READ ONLY"
    opening = f"BEGIN ISOLATION LEVEL {kind}; {_bounds(statement_s, _SERVED_IDLE_S)}{_ALONE if writes else ''}"

    def started(conn: Connection) -> None:
        conn.exec_driver_sql(opening)

    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",  # Of the driver, which would say BEGIN by itself.
        hide_parameters=True,
        connect_args=bounds(url),
    )
    return _listening(engine, started, within_s=statement_s)


def _direct(url: URL, *, writes: bool, statement_s: int) -> Engine:
    """Return an engine of one connection for whoever opens the store directly."""
    opening = _bounds(statement_s, _IDLE_S) + (_ALONE if writes else "; SET TRANSACTION READ ONLY")

    def started(conn: Connection) -> None:
        conn.exec_driver_sql(opening)

    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,  # After a failover the old connection is dead; the first statement shall not be the one to find out.
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        hide_parameters=True,
        connect_args=bounds(url),
    )
    return _listening(engine, started, within_s=statement_s)


def _bounds(statement_s: int, idle_s: int) -> str:
    return (
        f"SET LOCAL statement_timeout = '{statement_s}s'; SET LOCAL lock_timeout = '{_LOCK_S}s'; "
        f"SET LOCAL idle_in_transaction_session_timeout = '{idle_s}s'"
    )


def _listening(engine: Engine, started: Callable[[Connection], None], *, within_s: int) -> Engine:
    event.listen(engine, "do_connect", connect_within(within_s + _SILENT_S))
    event.listen(engine, "handle_error", leave_a_standby)
    event.listen(engine, "begin", started)
    return engine


def check(conn: Connection) -> None:
    """See that the database sorts and stores text as ranges of region paths need it.

    Raises:
        StoreError: It does not.
    """
    encoding, provider, collation = conn.exec_driver_sql(
        "SELECT pg_encoding_to_char(encoding), datlocprovider, datcollate FROM pg_database WHERE datname = current_database()"
    ).one()
    # The built-in provider of later versions has orders by code point only.
    by_code_point = provider == "b" or (provider == "c" and collation.split(".")[0] in {"C", "POSIX"})
    if encoding != "UTF8" or not by_code_point:
        order = "the rules of ICU" if provider == "i" else collation
        raise StoreError(
            f"The database sorts by {order} and stores text as {encoding}; warnd needs code points in UTF-8. {_made(conn.engine.url)}"
        )


def advice(url: URL, error: DBAPIError) -> str:
    """Return what to do about a database that cannot be worked with."""
    if getattr(error.orig, "sqlstate", None) == _LOCKED:
        return "Another program upgrades it or writes much; wait for it and try again."
    return (
        "Check that the server answers, that user and password (store.password_file) are right, and that the database exists "
        f"and is the user's own. {_made(url)}"
    )


def _made(url: URL) -> str:
    name, owner = ('"' + part.replace('"', '""') + '"' for part in (url.database or "", url.username or "warnd"))
    return (
        f"To make one: CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8' "
        "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'."
    )
