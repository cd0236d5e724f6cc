"""Whatever becomes of the task that carries a try, whoever asked hears about it exactly once."""

import asyncio

from channels.sms.crew import NOT_RUNNING, Crew, Job, Tell
from warnd.channel import Accepted, Outcome, Unknown


async def _at_work(crew: Crew) -> None:
    async with crew.at_work():
        await asyncio.Event().wait()


async def _never(_tell: Tell) -> None:
    await asyncio.Event().wait()


async def _all(crew: Crew, *jobs: Job) -> list[tuple[int, Outcome]]:
    return [told async for told in crew.outcomes(jobs)]


async def test_a_try_whose_task_is_cancelled_before_its_first_step_is_answered() -> None:
    crew = Crew()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(_at_work(crew))
        await asyncio.sleep(0)
        asked = tasks.create_task(_all(crew, Job((0, 1), _never)))
        running.cancel()
    assert [(index, type(outcome)) for index, outcome in asked.result()] == [(0, Unknown), (1, Unknown)]


async def test_what_breaks_or_is_told_twice_is_answered_once() -> None:
    async def breaks(tell: Tell) -> None:
        tell(0, Accepted("first"))
        tell(0, Accepted("second"))
        raise RuntimeError("as libraries do")

    crew = Crew()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(_at_work(crew))
        await asyncio.sleep(0)
        told = await _all(crew, Job((0, 1), breaks))
        running.cancel()
    assert told[0] == (0, Accepted("first"))
    assert (told[1][0], type(told[1][1])) == (1, Unknown)


async def test_nothing_starts_while_nobody_is_at_work() -> None:
    assert await _all(Crew(), Job((0,), _never)) == [(0, NOT_RUNNING)]
