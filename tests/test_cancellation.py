"""Whoever was told to end ends, whatever a library makes of it."""

import asyncio

from warnd import cancellation


async def _waiting(answer: asyncio.Future[None], said: list[str]) -> None:
    await asyncio.wait_for(answer, 10)
    said.append("answered")
    cancellation.heed()
    said.append("went on")


async def test_a_cancellation_that_comes_with_the_answer_is_heard() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    said: list[str] = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_waiting(answer, said))
        await asyncio.sleep(0)
        answer.set_result(None)
        task.cancel()
    assert task.cancelled()
    assert "went on" not in said


async def test_whoever_was_not_told_to_end_goes_on() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answer.set_result(None)
    said: list[str] = []
    await _waiting(answer, said)
    assert said == ["answered", "went on"]
