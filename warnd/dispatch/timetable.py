"""Periodic work: each job at its hours in the centre's time zone, by one worker at a time, and nothing missed in silence.

Hours are APScheduler's cron triggers. Its scheduler is not used: it asks the machine for the time, where the daemon's clock is handed in,
and every worker would run every job (docs/decisions/0016-timetable.md).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy.exc import SQLAlchemyError

from warnd.clock import Clock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import periodic
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import from_ms, to_ms

_LOOK_S = 300.0  # For a clock that was set, and for runs of workers that died.
_RETRY_S = 30.0
_MOMENT = timedelta(milliseconds=1)
_MARGIN_S = 60.0  # How much longer than its bound a run is ours: its end must be written, too.
_COUNTED = 10_000  # Missed runs are counted up to here: every minute for a week.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of periodic work.

    Attributes:
        work: Does it; returns why it failed, None = done. Called again only after its end.
        within_s: After which it counts as failed.
    """

    name: str
    trigger: CronTrigger
    work: Callable[[], Awaitable[str | None]]
    within_s: float = 600.0


class Timetable:
    """Runs jobs when they are due."""

    def __init__(self, ledger: Ledger, clock: Clock, *, jobs: Sequence[Job], writer: str, metrics: Metrics) -> None:
        self._ledger = ledger
        self._clock = clock
        self._jobs = jobs
        self._writer = writer
        self._metrics = metrics
        self._began = clock.now()

    async def run(self) -> None:
        """Keep every job until cancelled."""
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._keep(job), name=f"periodic:{job.name}")

    async def _keep(self, job: Job) -> None:
        while True:
            try:
                pause_s = await self.look(job)
            except SQLAlchemyError as error:
                log.error("timetable_cannot_look", job=job.name, error=str(error))
                pause_s = _RETRY_S
            await self._clock.sleep(pause_s)

    async def look(self, job: Job) -> float:
        """Do what is due; return after how many seconds to look again.

        Of runs that were missed only the newest is made up for. On a store where the job never ran nothing was missed.
        """
        newest = await self._ledger.read(periodic.newest, job=job.name)
        now = self._clock.now()
        if newest is not None and newest.open_until is not None and newest.open_until <= to_ms(now):
            await self._do(job, due=from_ms(newest.due_at), missed=0)
            return 0.0
        since = self._began if newest is None else from_ms(newest.due_at)
        due = self._due(job, since, now)
        if due:
            await self._do(job, due=due[-1], missed=len(due) - 1)
        coming = _next(job, max(now, since))
        return _LOOK_S if coming is None else min(_LOOK_S, max(0.0, (coming - now).total_seconds()))

    def _due(self, job: Job, after: datetime, now: datetime) -> list[datetime]:
        """Return the times after `after` up to `now`, each local wall time once."""
        found: list[datetime] = []
        at = _next(job, after)
        while at is not None and at <= now and len(found) < _COUNTED:
            if self._slot(job, at) != self._slot(job, found[-1] if found else after):
                found.append(at)
            at = _next(job, at)
        return found

    async def _do(self, job: Job, *, due: datetime, missed: int) -> None:
        slot = self._slot(job, due)
        lease_ms = int((job.within_s + _MARGIN_S) * 1000)
        begun = await self._ledger.write(
            periodic.begin,
            job=job.name,
            slot=slot,
            due_at=to_ms(due),
            missed=missed,
            lease_ms=lease_ms,
            stamp=self._stamp(),
        )
        if not begun:
            return
        trouble = await self._bounded(job)
        await self._ledger.write(periodic.end, job=job.name, slot=slot, trouble=trouble, stamp=self._stamp())
        self._metrics.periodic(job.name, done=trouble is None)

    async def _bounded(self, job: Job) -> str | None:
        try:
            async with asyncio.timeout(job.within_s):
                return await job.work()
        except TimeoutError:
            return f"it took longer than {job.within_s:g} s"
        except SQLAlchemyError as error:
            return f"the store: {error}"

    def _slot(self, job: Job, at: datetime) -> str:
        return at.astimezone(job.trigger.timezone).strftime("%Y-%m-%dT%H:%M")

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._writer)


def _next(job: Job, after: datetime) -> datetime | None:
    """Return the first time after `after`, in UTC: in local time a moment after an hour that does not exist lies before it."""
    at: datetime | None = job.trigger.get_next_fire_time(None, after.astimezone(UTC) + _MOMENT)
    return None if at is None else at.astimezone(UTC)
