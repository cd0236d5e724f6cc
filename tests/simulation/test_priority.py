"""A red warning in the middle of a hundred thousand blue texts: at once, seats first, and the blue ones go on afterwards."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.crowd import move_in
from tests.simulation.county import COUNTY, VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Act, Wire, World, accepts, running, settings_for
from tests.stores import kind
from warnd.channel import Accepted, Outcome, Outgoing
from warnd.ledger.allotment import SHARE
from warnd.model.level import Level

_BLUE = 100_000 if kind() == "sqlite" else 10_000  # The statements are the same; the rows take longer to make there.
RATE = 500  # Segments per second, the default.


async def hangs(_outgoing: Outgoing, _wire: Wire) -> Outcome:
    """A gateway that takes the call and never says anything."""
    await asyncio.Event().wait()
    return Accepted()


def blue_hangs(then: Act) -> Act:
    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        return await (hangs if outgoing.message.level is Level.BLUE else then)(outgoing, wire)

    return act


async def texts(world: World, warning_id: str) -> list[Any]:
    """Return the first tries by text of one message, in the order of their claims."""
    return await world.query(
        "SELECT a.submitted_at - m.released_at AS after_ms, l.priority % 100 / 10 AS kind, a.no FROM attempt a "
        "JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no "
        "WHERE m.id = :id AND l.channel = 'sms' AND a.number = 1 ORDER BY a.no",
        id=warning_id,
    )


async def blue_under_way(world: World, *, households: int) -> str:
    """Bring a blue warning to so many households under way; return its id."""
    await world.ledger.write(move_in, village=VILLAGES[5], count=households)
    blue = await world.release(flood(level="blue", identifier="QH-blue"))
    await world.planned(blue)
    return blue


@pytest.mark.parametrize(
    "phones", [accepts, blue_hangs(accepts)], ids=["a gateway that works", "one that hangs at every blue text"]
)
def test_a_red_amid_a_hundred_thousand_blue_ones_starts_within_a_second_seats_first(
    tmp_path: Path, phones: Act
) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, phones=phones) as world:
            blue = await blue_under_way(world, households=_BLUE)
            await world.clock.sleep(3)
            assert await texts(world, blue)
            assert await world.one("SELECT count(*) FROM leg WHERE state = 'due'") > _BLUE - 5_000
            red = await world.release(flood(identifier="QH-red", codes=(VILLAGES[0], VILLAGES[1])))
            await world.clock.sleep(2)
            told = await texts(world, red)
            assert told[0].after_ms <= 1_000
            seats = [one for one in told if one.kind == 0]
            assert len(seats) == 4, "two officers, the leader of their township, and the chief"
            assert told[: len(seats)] == seats, "seats before the public"
            assert seats[-1].after_ms <= 1_000

    run(story(), loop)


def test_a_red_takes_the_lanes_and_the_blue_ones_never_starve(tmp_path: Path) -> None:
    """While a red flood of texts lasts, blue gets its sixteenth, oldest first; the red needs no more than the rest of the rate."""
    loop = VirtualLoop()
    few = settings_for(tmp_path, f"sms.rate_per_s = {RATE}\n")

    async def story() -> None:
        async with running(tmp_path, loop=loop, settings=few, phones=accepts) as world:
            blue = await blue_under_way(world, households=3_000)
            await world.clock.sleep(1)
            before = len(await texts(world, blue))
            red = await world.release(flood(identifier="QH-red", codes=(COUNTY,)))
            await world.planned(red)
            started = world.clock.monotonic()
            while len(await texts(world, red)) < 1_000:
                await world.clock.sleep(0.25)
                assert world.clock.monotonic() < started + 60
            reds, blues = len(await texts(world, red)), len(await texts(world, blue)) - before
            assert blues >= reds // SHARE - 1, "the oldest go on"
            assert blues <= (reds + blues) // SHARE + RATE, (
                "beyond what was claimed before the red, no more than the share"
            )
            await world.check_invariants()

    run(story(), loop)


def test_a_cancel_begins_although_every_place_is_taken_by_hung_red_ones(tmp_path: Path) -> None:
    loop = VirtualLoop()
    few = settings_for(tmp_path, "sms.concurrency = 8\n")

    async def red_hangs(outgoing: Outgoing, _wire: Wire) -> Outcome:
        return await hangs(outgoing, _wire) if outgoing.message.kind == "warning" else Accepted()

    async def story() -> None:
        async with running(tmp_path, loop=loop, settings=few, phones=red_hangs) as world:
            alert = flood()
            await world.release(alert)
            await world.clock.sleep(3)
            assert await world.one("SELECT count(*) FROM leg WHERE lane = 'sms' AND state = 'submitting'") == 8
            cancel = await world.release(cancel_of(alert))
            await world.clock.sleep(1)
            told = await texts(world, cancel)
            assert told
            assert told[0].after_ms <= 1_000
            await world.check_invariants()

    run(story(), loop)
