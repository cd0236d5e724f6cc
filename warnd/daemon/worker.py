"""This process as one of several on a shared store: it signs in, shows that it lives, hears when others wrote, and signs out.

Decides nothing about tries: whoever lives takes over from the dead in the clockwork, by what stands here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.daemon.store_clock import StoreClock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import events, leases, workers
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_BEAT_S = 2.0
_SILENT_S = 8.0  # Who is taken for dead and lives loses nothing but time: what it sends is still believed.
_MISSED_S = 2 * _BEAT_S  # Between two beats: then it was the store, or this machine, that stood still.
_HEAR_S = 0.5
_QUIET_HEAR_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this is: a name for people, a version, and the mark of this process start."""

    name: str
    version: str
    writer: str


async def store_clock(ledger: Ledger, own: Clock) -> StoreClock:
    """Return the clock of a shared store."""
    return StoreClock(own, await ledger.read(workers.clock, monotonic=own.monotonic))


class Worker:
    """One of several."""

    def __init__(self, ledger: Ledger, clock: StoreClock, *, own: Identity) -> None:
        self._ledger = ledger
        self._clock = clock
        self._own = own
        self._beaten_at = float("-inf")
        self._steady_since = float("inf")

    async def join(self) -> None:
        """Sign in."""
        await self._ledger.write(workers.join, name=self._own.name, version=self._own.version, stamp=self._stamp())
        self._beaten_at = self._steady_since = self._clock.monotonic()

    async def run(self, *, bell: Bell, metrics: Metrics, quiet: Callable[[], bool] = lambda: False) -> None:
        """Beat, and hear the others, less often while it is `quiet`, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live(metrics), name="beats")
            group.create_task(self._hear(bell, quiet), name="others")

    async def leave(self) -> None:
        """Sign out after the last outcome; what was still under way may have left, and whoever lives needs not wait to know."""
        try:
            await self._ledger.write(leases.give_up, stamp=self._stamp())
            await self._ledger.write(workers.leave, name=self._own.name, stamp=self._stamp())
        except SQLAlchemyError as error:  # The others find out by its silence.
            log.warning("not_signed_out", error=str(error))

    def silent_before_ms(self) -> int | None:
        """Return since when another worker must have been silent to be dead; None while nobody can tell.

        A store that was away for a while has heard nobody: whoever comes back first must not take all others for dead.
        """
        now = self._clock.monotonic()
        if now - self._steady_since < _SILENT_S or now - self._beaten_at > _MISSED_S:
            return None
        return to_ms(self._clock.now()) - int(_SILENT_S * 1000)

    async def eldest(self) -> bool:
        """Say whether no other worker that seems to live has been here for longer."""
        alive_ms = to_ms(self._clock.now()) - int(_SILENT_S * 1000)
        rows = await self._ledger.read(workers.present)
        living = [row.writer for row in rows if row.seen_at >= alive_ms or row.writer == self._own.writer]
        return living[:1] in ([], [self._own.writer])

    async def _live(self, metrics: Metrics) -> None:
        while True:
            try:
                await self._beat(metrics)
            except SQLAlchemyError as error:
                log.error("no_sign_of_life", worker=self._own.name, error=str(error))
            await self._clock.sleep(_BEAT_S)

    async def _beat(self, metrics: Metrics) -> None:
        self._clock.set(await self._ledger.read(workers.clock, monotonic=self._clock.monotonic))
        await self._ledger.write(workers.beat, name=self._own.name, version=self._own.version, stamp=self._stamp())
        now = self._clock.monotonic()
        if now - self._beaten_at > _MISSED_S:
            self._steady_since = now
        self._beaten_at = now
        rows = await self._ledger.read(workers.present)
        metrics.workers(len(rows), clock_off_s=self._clock.off_s)
        namesakes = [row for row in rows if row.name == self._own.name and row.writer != self._own.writer]
        if any(row.seen_at >= to_ms(self._clock.now()) - int(_MISSED_S * 1000) for row in namesakes):
            log.warning(
                "worker_name_taken",
                worker=self._own.name,
                meaning="another worker has this name, so the MQTT broker lets only one of them stay",
                fix="give each its own node.worker",
            )

    async def _hear(self, bell: Bell, quiet: Callable[[], bool]) -> None:
        """Ring for what the others wrote: what waits for the ledger to change waits no longer than for our own changes."""
        known = 0
        while True:
            try:
                last = await self._ledger.read(events.last)
            except SQLAlchemyError as error:
                log.error("record_unreadable", error=str(error))
            else:
                if last != known:
                    bell.ring()
                known = last
            await self._clock.sleep(_QUIET_HEAR_S if quiet() else _HEAR_S)

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._own.writer)
