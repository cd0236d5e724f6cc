"""The way to the store for one import: reads beside the daemon, and short writing transactions under the import's lease."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, Engine

from warnd.clock import Clock
from warnd.ledger.directory import revision
from warnd.ledger.enrolment import lease, leftovers
from warnd.ledger.values import to_ms

LEASE_S = 30
_RENEW_S = 5


class Door:
    """Reads for anybody; writes between `enter` and `leave`.

    Nothing written is seen by others before `publish`.
    """

    def __init__(self, reading: Engine, writing: Engine, *, clock: Clock, token: str) -> None:
        """Take an engine whose transactions begin without a lock, one that locks at once, and a token unlike any other's."""
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._token = token
        self._renewed_s = clock.monotonic()
        self._held = False
        self._clean = True

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a snapshot."""
        with self._reading.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give one transaction that is committed only if the lease is still held.

        Raises:
            LeaseLost: Another import took over.
        """
        assert self._held  # A rehearsal never writes.
        self._clean = False
        with self._writing.begin() as conn:
            yield conn
            lease.keep(conn, token=self._token, until_ms=self._until_ms())
        self._renewed_s = self._clock.monotonic()

    def enter(self) -> None:
        """Take the lease and remove what an import that died left behind.

        Raises:
            Busy: Another import is under way.
        """
        with self._writing.begin() as conn:
            dirty = lease.take(conn, token=self._token, now_ms=to_ms(self._clock.now()), until_ms=self._until_ms())
        self._held, self._clean = True, not dirty
        for sweep in leftovers.sweeps() if dirty else ():
            self._sweep(sweep)
        self._clean = True

    def linger(self) -> None:
        """Keep the lease through work that does not write."""
        if self._held and self._clock.monotonic() - self._renewed_s > _RENEW_S:
            with self._writing.begin() as conn:
                lease.keep(conn, token=self._token, until_ms=self._until_ms())
            self._renewed_s = self._clock.monotonic()

    def next_revision(self) -> int:
        """Return the revision that this import makes."""
        with self.read() as conn:
            return revision(conn) + 1

    @contextmanager
    def publish(self, rev: int) -> Iterator[Connection]:
        """Give the last transaction, which also makes revision `rev` the one everybody reads."""
        with self.write() as conn:
            yield conn
            lease.publish(conn, rev=rev)
        self._clean = True

    def leave(self) -> None:
        """Give the lease back. What was not published is removed by the next import."""
        if self._held:
            with self._writing.begin() as conn:
                lease.give_back(conn, token=self._token, clean=self._clean)
            self._held = False

    def _sweep(self, sweep: leftovers.Sweep) -> None:
        found = True
        while found:
            with self.write() as conn:
                found = sweep.page(conn)

    def _until_ms(self) -> int:
        return to_ms(self._clock.now() + timedelta(seconds=LEASE_S))
