"""A ledger that tells each durable step to a trap, right before and right after its commit; the real one does the work."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tests.crash import steps
from warnd.ledger.door import Ledger, Operation, P, T


class Killed(Exception):  # noqa: N818 - what happened to the daemon
    """The daemon dies here, in simulated time."""


class Trap(Protocol):
    """Where a daemon dies."""

    def before(self, names: Sequence[str]) -> None:
        """Take notice that these steps are about to be durable, in one transaction or as one act outside.

        Raises:
            Killed: The daemon dies here.
        """
        ...

    def after(self, names: Sequence[str]) -> None:
        """Take notice that they are."""
        ...


class Life:
    """One life of a daemon in simulated time: once it is over, nothing of it reaches the store or the world any more."""

    def __init__(self, trap: Trap) -> None:
        self.over = asyncio.Event()
        self.buried = False
        self._trap = trap

    async def alive(self) -> None:
        """Return at once while it lives; whoever is dead goes no further."""
        if self.buried:
            raise OperationalError("after death", {}, Exception("the daemon is dead"))
        if self.over.is_set():
            await asyncio.get_running_loop().create_future()

    async def act(self, name: str, doing: Callable[[], T]) -> T:
        """Do something outside that cannot be undone, unless the daemon dies right before it."""
        await self.alive()
        try:
            self._trap.before([name])
        except Killed:
            self.over.set()
            await self.alive()
        done = doing()
        self._trap.after([name])
        return done

    def watch(self, ledger: Ledger) -> Ledger:
        """Return the ledger for a daemon of this life."""
        return Watched(ledger, self._trap, self)


class Watched:
    """See the module."""

    def __init__(self, inner: Ledger, trap: Trap, life: Life | None = None) -> None:
        self._inner = inner
        self._trap = trap
        self._life = life

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads."""
        if self._life is not None:
            await self._life.alive()
        return await self._inner.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction, whose steps the trap hears of while it can still be undone."""
        if self._life is not None:
            await self._life.alive()
        names: tuple[str, ...] = ()

        def whole(conn: Connection) -> T:
            nonlocal names
            begun = steps.begin(conn, op, kwargs)
            result = op(conn, *args, **kwargs)
            names = begun.names(conn, result)
            if names:
                self._trap.before(names)
            return result

        try:
            result = await self._inner.write(whole)
        except Killed:
            assert self._life is not None
            self._life.over.set()
            await self._life.alive()
            raise
        if names:
            self._trap.after(names)
        return result

    async def close(self) -> None:
        """Close the real one."""
        await self._inner.close()
