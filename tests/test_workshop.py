"""The workshop makes what is most urgent first, each thing once, and outlives whatever its programs and sounds do."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.fakes.speaking import Booth
from tests.simulation.documents import flood
from tests.stores import store_url
from tests.waiting import until
from warnd.bell import Bell
from warnd.channel import Text
from warnd.clock import SystemClock
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.workshop import Workshop
from warnd.ledger.store import Ledger, open_inline, upgrade
from warnd.render.speech import Part, Studio
from warnd.render.speech.engine import Engine
from warnd.render.speech.phrases import Phrases


def parts(studio: Studio, *texts: str) -> tuple[Part, ...]:
    return tuple(studio.parts(flood(), [Text("zh", text)], level=None, drill=False)[0] for text in texts)


def store(folder: Path) -> Ledger:
    url = store_url(folder)
    upgrade(url)
    return open_inline(url)


@asynccontextmanager
async def working(folder: Path, booth: Booth) -> AsyncIterator[tuple[Studio, Workshop, Bell]]:
    engine = Engine([str(booth.program)], voices={"zh": "a"})
    studio = Studio(engine, phrases=Phrases(), languages=("zh",))
    ledger, bell = store(folder), Bell()
    workshop = Workshop(
        ledger,
        SystemClock(),
        studio=studio,
        most_bytes=10**9,
        writer=f"{random.Random(1).getrandbits(64):x}",
        bell=bell,
        metrics=Metrics(CollectorRegistry()),
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(workshop.run())
        yield studio, workshop, bell
        task.cancel()
    await ledger.close()


async def test_the_most_urgent_is_made_first_and_nothing_twice(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.hangs()
    async with working(tmp_path, booth) as (studio, workshop, _):
        first, second, blue, red = parts(studio, "一", "二", "蓝", "红")
        workshop.order([first, second], urgency=4)
        await until(lambda: len(booth.said()) == 2)
        workshop.order([blue], urgency=4)
        workshop.order([red], urgency=99)
        workshop.order([red, first], urgency=1)
        booth.go()
        await until(lambda: len(booth.said()) == 3)
        assert booth.said()[2] == "红"
        for _ in range(3):
            booth.go()
        await until(lambda: len(booth.said()) == 4)
        assert sorted(booth.said()) == sorted(["一", "二", "红", "蓝"])


async def test_what_cannot_be_made_is_not_waited_for_and_the_next_is_made(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.fails()
    async with working(tmp_path, booth) as (studio, workshop, bell):
        bad, good = parts(studio, "坏", "好")
        workshop.order([bad], urgency=1)
        await until(lambda: not workshop.missing([bad], {}))
        assert "the voice is hoarse" in workshop.why_not(bad)
        booth.speaks()
        workshop.order([good], urgency=1)
        async with asyncio.timeout(15):
            while not await workshop.ready([good]):
                await bell.wait(1.0)
        assert booth.said() == ["坏", "好"]
