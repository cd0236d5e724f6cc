"""The store as a PostgreSQL database that several workers share.

Operations were written for a store in which one writes at a time. Here the same holds over all workers: each writing transaction takes
one advisory lock at its beginning, which the server frees at its end however that comes. The lock lasts for the transaction only, so
that a pooler may hand connections from one transaction to the next.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from warnd.ledger.door import Operation, P, StoreError, T

_READERS = 4
_WRITE_LOCK = 0x7761726E64  # "warnd"; any number that nobody else uses in this database.
_CONNECT_S = 5
_STATEMENT_S = 60
_LOCK_S = 15  # As long as a writer waits on SQLite.
_IDLE_S = 10  # A worker that stopped in the middle of a transaction holds up the others no longer than this.
_AGAIN = 5
_ROLLED_BACK = frozenset(
    {"40001", "40P01"}
)  # Serialization failure, deadlock: nothing happened, so it may be tried again.
_BOUNDS = (
    f"SET LOCAL statement_timeout = '{_STATEMENT_S}s'; SET LOCAL lock_timeout = '{_LOCK_S}s'; "
    f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_S}s'"
)
_ALONE = f"; SELECT pg_advisory_xact_lock({_WRITE_LOCK})"


class SharedLedger:
    """The ledger of a worker: one thread that writes, several that read; each operation runs whole in one of them."""

    def __init__(self, url: URL) -> None:
        self._writing, self._reading = (
            _engine(url, connections=1, writes=True),
            _engine(url, connections=_READERS, writes=False),
        )
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-read")

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads, in one snapshot."""
        return await _whole(self._readers, lambda: _run(self._reading, lambda conn: op(conn, *args, **kwargs)))

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction, alone in the whole store; it is committed, durably, when this returns."""
        return await _whole(self._writer, lambda: _run(self._writing, lambda conn: op(conn, *args, **kwargs)))

    async def close(self) -> None:
        """Let what has begun end, and close all connections."""
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        for engine in (self._writing, self._reading):
            engine.dispose()


def open_sync(url: URL, *, writes: bool) -> Engine:
    """Return a plain synchronous engine; each of its transactions is alone, or else reads one snapshot."""
    return _engine(url, connections=1, writes=writes)


async def _whole(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Return what `work` returns; whoever is cancelled while it runs hears of it only after its end.

    Nobody may take a store for closed that is still written to.
    """
    turn: Future[T] = threads.submit(work)
    try:
        return await asyncio.wrap_future(turn)
    except asyncio.CancelledError:
        if not turn.cancel():
            await asyncio.wait([asyncio.wrap_future(turn)])
        raise


def _run(engine: Engine, op: Callable[[Connection], T]) -> T:
    for _ in range(_AGAIN):
        try:
            with engine.begin() as conn:
                return op(conn)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _ROLLED_BACK:
                raise
    with engine.begin() as conn:
        return op(conn)


def _engine(url: URL, *, connections: int, writes: bool) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,  # After a failover the old connections are dead; the first statement shall not be the one to find out.
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_S,
            "prepare_threshold": None,
        },  # A pooler knows no prepared statements.
    )

    def started(conn: Connection) -> None:
        conn.exec_driver_sql(_BOUNDS + (_ALONE if writes else "; SET TRANSACTION READ ONLY"))

    event.listen(engine, "begin", started)
    return engine


def check(conn: Connection) -> None:
    """See that the database sorts and stores text as ranges of region paths need it.

    Raises:
        StoreError: It does not.
    """
    encoding, collation = conn.exec_driver_sql(
        "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    ).one()
    if encoding != "UTF8" or collation.split(".")[0] not in {"C", "POSIX"}:
        raise StoreError(
            f"The database sorts by {collation} and stores text as {encoding}. Make one with: "
            "CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        )
