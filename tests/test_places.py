"""Places for calls: bounded, the urgent first, and some kept for them."""

import asyncio
import random
from dataclasses import replace

import pytest

from channels.places import Places, is_urgent
from tests.fakes.manual_clock import ManualClock, settle
from tests.fakes.message import red_flood
from warnd.channel import Outgoing, Text
from warnd.model.level import Level

CLOCK = ManualClock()
RED = Outgoing("red", red_flood(CLOCK.now()), "p", "+8613800000000", (Text("zh", "洪水"),))
BLUE = replace(RED, attempt="blue", message=replace(RED.message, level=Level.BLUE))
LATE = replace(BLUE, start_by=CLOCK.monotonic() - 1)
CANCEL = replace(BLUE, message=replace(BLUE.message, kind="cancel"))


def test_a_cancel_is_urgent_at_any_level_and_a_warning_at_red_and_orange() -> None:
    orange, yellow, none = (
        replace(RED, message=replace(RED.message, level=level)) for level in (Level.ORANGE, Level.YELLOW, None)
    )
    assert [is_urgent(one) for one in (RED, orange, CANCEL, yellow, BLUE, none)] == [True] * 3 + [False] * 3


async def test_calls_that_hang_leave_places_to_urgent_ones_and_those_go_first() -> None:
    places = Places(CLOCK, most=20)
    assert [await places.take(BLUE) for _ in range(18)] == [True] * 18
    assert not await places.take(LATE)
    assert [await places.take(RED) for _ in range(2)] == [True] * 2
    order: list[str] = []

    async def wait(name: str, outgoing: Outgoing) -> None:
        assert await places.take(outgoing)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name, outgoing in (("blue", BLUE), ("red", RED), ("cancel", CANCEL)):
            group.create_task(wait(name, outgoing))
        await settle()
        for expected in (["red"], ["red", "cancel"], ["red", "cancel"], ["red", "cancel"], ["red", "cancel", "blue"]):
            places.free()
            await settle()
            assert order == expected


@pytest.mark.parametrize("seed", range(5))
async def test_no_place_is_lost_whoever_gives_up(seed: int) -> None:
    chance, places, most = random.Random(seed), Places(CLOCK, most=4), 4
    under_way = 0

    async def call(outgoing: Outgoing) -> None:
        nonlocal under_way
        if await places.take(outgoing):
            under_way += 1
            assert under_way <= most
            try:
                await settle()
            finally:
                under_way -= 1
                places.free()

    async with asyncio.TaskGroup() as group:
        for _ in range(60):
            task = group.create_task(call(chance.choice([RED, BLUE, LATE])))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
                task.cancel()
    assert [await places.take(replace(RED, start_by=CLOCK.monotonic() - 1)) for _ in range(5)] == [True] * most + [
        False
    ]
