"""The tasks in which a gateway's calls run: they belong to the gateway's `run`, not to whoever asked, who may leave early."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from warnd.channel import Failed, Outcome, Unknown

_log = structlog.get_logger(__name__)

NOT_RUNNING = Failed("not_started: the gateway is not running", retry="throttled", retry_after_s=1.0)
_AT_ONCE = 25
_STOPPED = Unknown("warnd stopped before the gateway answered")

Tell = Callable[[int, Outcome], None]
"""Called with an index and its outcome; what is told twice counts once."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call that settles the tries with these indices; `work` must not raise."""

    indices: tuple[int, ...]
    work: Callable[[Tell], Awaitable[None]]


class Crew:
    """Runs each job in a task of its own and yields the outcomes as they come."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None

    @property
    def working(self) -> bool:
        """Say whether jobs can run."""
        return self._group is not None

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[asyncio.TaskGroup]:
        """Let jobs run while this lasts; the group also takes the gateway's other tasks."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield group
            finally:
                self._group = None

    async def outcomes(self, jobs: Sequence[Job]) -> AsyncIterator[tuple[int, Outcome]]:
        """Yield (index, outcome) once for each index of each job, in any order."""
        settled: asyncio.Queue[tuple[int, Outcome]] = asyncio.Queue()
        for number, job in enumerate(jobs, 1):
            if (
                number % _AT_ONCE == 0
            ):  # Or the first steps of five hundred texts, each a tenth of a millisecond or two, are one turn of the loop.
                await asyncio.sleep(0)
            if self._group is None:
                for index in job.indices:
                    settled.put_nowait((index, NOT_RUNNING))
            else:
                _start(self._group, job, settled)
        for _ in range(sum(len(job.indices) for job in jobs)):
            yield await settled.get()


def _start(group: asyncio.TaskGroup, job: Job, settled: "asyncio.Queue[tuple[int, Outcome]]") -> None:
    left = set(job.indices)

    def tell(index: int, outcome: Outcome) -> None:
        if index in left:
            left.remove(index)
            settled.put_nowait((index, outcome))

    def ended(_task: asyncio.Task[None]) -> None:
        # Whoever asked must not wait for ever. Not at the end of the task itself: one cancelled before its first step has none.
        for index in sorted(left):
            tell(index, _STOPPED)

    group.create_task(_do(job, tell)).add_done_callback(ended)


async def _do(job: Job, tell: Tell) -> None:
    try:
        await job.work(tell)
    except Exception as error:  # noqa: BLE001 - the edge to providers' libraries: whatever breaks there ends this call alone
        _log.exception("sms_gateway_broke", error=str(error))
