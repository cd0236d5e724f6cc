"""The store of a scenario, with its troubles: full, busy, down, slow, an answer that is lost after the commit; and death between two steps.

Every daemon has a door of its own to one store. Operations take a moment of simulated time, so that others come in between, and a daemon
can die before an operation, or after its commit and before it hears of it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from tests.simulation.seeded.ground import WallClock
from tests.simulation.seeded.spare import Spare
from tests.simulation.virtual import simulated
from warnd.ledger import workers
from warnd.ledger.door import Operation, P, T
from warnd.ledger.store import InlineLedger
from warnd.ledger.values import to_ms

TROUBLES = ("full", "busy", "down", "slow", "lossy")
_MOMENT_S = 0.002
_LOST = 0.3  # Of the answers of a lossy store.

# Rows that must never move back, looked at in every single statement. `watched` notes what it is told; it is kept if the commit comes.
_WATCHMEN = {
    "evidence fell": "UPDATE OF evidence ON delivery WHEN new.evidence < old.evidence",
    "a satisfied delivery was opened": "UPDATE OF state ON delivery WHEN old.state = 'satisfied' AND new.state <> 'satisfied'",
    "a breach was erased": "UPDATE OF breached_at ON delivery WHEN old.breached_at IS NOT NULL AND new.breached_at IS NULL",
    "a village is no longer confirmed": "UPDATE OF confirmed_at ON target WHEN old.confirmed_at IS NOT NULL AND new.confirmed_at IS NULL",
    "a fencing token fell": "UPDATE OF token ON leg WHEN new.token < old.token",
    "a closed message was claimed from": "INSERT ON attempt WHEN EXISTS (SELECT 1 FROM leg l JOIN message m ON m.no = l.message_no "
    "WHERE l.no = new.leg_no AND m.closed_as IS NOT NULL)",
    "two attempts of one leg are under way": "INSERT ON attempt WHEN EXISTS (SELECT 1 FROM attempt a WHERE a.leg_no = new.leg_no "
    "AND a.number <> new.number AND a.state = 'submitting')",
    "a settled attempt was opened": "UPDATE OF state ON attempt WHEN new.state = 'submitting'",
    "what was closed was opened": "UPDATE OF closed_as ON message WHEN old.closed_as IS NOT NULL AND new.closed_as IS NOT old.closed_as",
    "an event was changed": "UPDATE ON event",
    "a receipt was lost": "DELETE ON receipt",
    "a warning was lost": "DELETE ON warning",
}
_ENDS = "UPDATE OF closed_as ON message WHEN old.closed_as IS NULL AND new.closed_as IS NOT NULL"
CLOSED = "closed"


@dataclass(slots=True)
class Store:
    """One store, whoever uses it.

    Attributes:
        clock: The store's own.
        trouble: What is wrong with it now, one of `TROUBLES`; None = nothing.
        told: What the watchmen saw in the transaction under way.
        ended: Called with a message's id at the commit that closes it.
        broken: Called with words when a commit breaks a rule.
    """

    engine: Engine
    dice: Random
    clock: WallClock
    ended: Callable[[str], None]
    broken: Callable[[str], None]
    trouble: str | None = None
    told: list[tuple[str, str]] = field(default_factory=list)
    ledger: InlineLedger = field(init=False)
    line: asyncio.Lock = field(init=False)
    spare: Spare = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = InlineLedger(self.engine)
        self.line = asyncio.Lock()
        raw: Any = self.engine.raw_connection().driver_connection
        self.spare = Spare(raw)
        raw.create_function("watched", 2, self._watched)
        for what, when in {**_WATCHMEN, CLOSED: _ENDS}.items():
            of = "new.id" if what == CLOSED else "old.rowid" if when.startswith("DELETE") else "new.rowid"
            raw.execute(f"CREATE TEMP TRIGGER \"{what}\" AFTER {when} BEGIN SELECT watched('{what}', {of}); END")

    def _watched(self, what: str, which: object) -> None:
        self.told.append((what, str(which)))

    async def write(self, op: Callable[[Connection], T]) -> T:
        """Run one transaction and hold what it did to the watchmen's word."""
        self.told.clear()
        found = await self.ledger.write(op)
        self.spare.changed()
        for what, which in self.told:
            if what == CLOSED:
                self.ended(which)
            else:
                self.broken(f"{what}: {which}")
        return found

    def moment_s(self) -> float:
        """Return how long an operation takes now."""
        if self.trouble == "slow":
            return self.dice.uniform(0.05, 0.6)
        return self.dice.random() * _MOMENT_S


@dataclass(slots=True)
class Access:
    """One daemon's door to the store.

    Attributes:
        dead: The daemon is gone: whatever it still asks for never happens.
        steps: Steps until it dies: each write has two, one before its commit and one after; None = it lives on.
        dies: Called with the step when it does.
    """

    store: Store
    dies: Callable[[str], None]
    dead: bool = False
    steps: int | None = None

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read, a moment later; looks take none, there are too many of them."""
        look = _look(op)
        if look is not None and not self.dead and self.store.trouble is None:
            return await self._looked(look, op, *args, **kwargs)
        await self._moment()
        if self.store.trouble == "down":
            raise _failure("SELECT", "server closed the connection unexpectedly")
        if op is workers.clock:
            return cast("T", await self._told_time())
        return await self.store.ledger.read(op, *args, **kwargs)

    async def _looked(self, look: str, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        spared = self.store.spare.answer(look, kwargs)
        if spared is not NotImplemented:
            return cast("T", spared)
        found = await self.store.ledger.read(op, *args, **kwargs)
        self.store.spare.keep(look, kwargs, found)
        return found

    async def _told_time(self) -> workers.Reading:
        """Answer for the database server, whose clock all workers live by; a SQLite file has none."""
        asked = self.store.clock.monotonic()
        await self._moment()
        heard = self.store.clock.monotonic()
        return workers.Reading(to_ms(self.store.clock.now()), (asked + heard) / 2, heard - asked)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write when it is this one's turn."""
        async with self.store.line:
            await self._moment()
            if self._lives_on(f"before {_name(op)}"):
                self._refuse()
                found = await self.store.write(lambda conn: op(conn, *args, **kwargs))
                self._lives_on(f"after {_name(op)}")
        await self._moment()
        if self.store.trouble == "lossy" and self.store.dice.random() < _LOST:
            raise _failure("COMMIT", "the connection was lost; the commit had come")
        return found

    async def close(self) -> None:
        """Leave the store to the others."""

    async def _moment(self) -> None:
        await simulated(self.store.moment_s())
        if self.dead:
            raise _failure("", "the daemon is gone")

    def _lives_on(self, where: str) -> bool:
        """Say whether the daemon is alive after one more step."""
        if self.steps is not None and not self.dead:
            self.steps -= 1
            if self.steps < 0:
                self.dies(where)
        return not self.dead

    def _refuse(self) -> None:
        trouble, dice = self.store.trouble, self.store.dice
        if trouble == "full":
            raise _failure("INSERT", "database or disk is full")
        if trouble == "down":
            raise _failure("INSERT", "server closed the connection unexpectedly")
        if trouble == "busy" and dice.random() < 0.5:
            raise _failure("BEGIN", "database is locked")


_LOOKS = {
    "warnd.ledger.looks.due_lanes": "due_lanes",
    "warnd.ledger.events.since": "since",
    "warnd.dispatch.planner._called_for": "planner._called_for",
    "warnd.dispatch.clockwork._called_for": "clockwork._called_for",
}


def _look(op: Any) -> str | None:
    """Return the name of a look that may be spared."""
    return _LOOKS.get(f"{getattr(op, '__module__', '')}.{getattr(op, '__qualname__', '')}")


def _failure(statement: str, cause: str) -> OperationalError:
    return OperationalError(statement, {}, Exception(cause))


def _name(op: object) -> str:
    return str(getattr(op, "__qualname__", op)).lstrip("_")
