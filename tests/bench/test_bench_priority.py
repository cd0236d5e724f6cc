"""How soon a red begins while a hundred thousand blue texts run, in real time, on a real store. Reports; never asserts a time.

Run: pytest tests/bench/test_bench_priority.py -m bench -s
"""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.routing import BaseRoute

from tests.fakes.crowd import move_in
from tests.simulation.county import COUNTY, VILLAGES, found
from tests.simulation.documents import document, flood
from tests.simulation.world import OPERATOR, settings_for
from tests.waiting import until
from warnd.channel import Accepted, Outcome, Outgoing, ReceiptSink
from warnd.clock import SystemClock
from warnd.daemon import Daemon, read_files
from warnd.ledger.store import open_ledger
from warnd.model import answer
from warnd.model.evidence import Evidence
from warnd.model.level import Level

pytestmark = pytest.mark.bench

BLUE, RATE, LATENCY_S = 100_000, 500, 0.1


@dataclass
class Wire:
    """A gateway that takes each text a tenth of a second after it got it."""

    name = "sms"
    strongest = Evidence.ACKNOWLEDGED
    begun: list[tuple[float, Level | None, bool]] = field(default_factory=list)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        now = time.monotonic()
        self.begun += [(now, one.message.level, (one.recipient or "").startswith(("home", "crowd"))) for one in batch]
        await SystemClock().sleep(LATENCY_S)
        for index, _ in enumerate(batch):
            yield index, Accepted()

    async def run(self, sink: ReceiptSink) -> None:
        assert sink is not None
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None


async def _measured(folder: Path) -> None:
    settings = settings_for(folder)
    url, clock, wire = settings.store.url, SystemClock(), Wire()
    found(url, folder, clock=clock)
    ledger = open_ledger(url)
    await ledger.write(move_in, village=VILLAGES[5], count=BLUE)
    daemon = Daemon(
        settings,
        ledger=ledger,
        clock=clock,
        chance=random.Random(1),
        writer="bench",
        tag="bench",
        answer_key=bytes(answer.KEY_BYTES),
        files=read_files(settings),
        public_url="http://127.0.0.1",
        build={"sms": lambda _settings, _context: wire},
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        now = clock.now().replace(microsecond=0)
        await daemon.desk.submit(
            document(flood(level="blue", identifier="QH-blue", codes=(COUNTY,), sent=now)), by=OPERATOR
        )
        await until(lambda: len(wire.begun) > 2_000, timeout_s=120)
        waits: list[float] = []
        for number in range(5):
            before, began = len(wire.begun), time.monotonic()
            red = flood(identifier=f"QH-red-{number}", codes=(VILLAGES[0], VILLAGES[1]), sent=now)
            await daemon.desk.submit(document(red), by=OPERATOR)
            await until(lambda: any(level is Level.RED for _, level, _ in wire.begun[before:]), timeout_s=30)  # noqa: B023 - used at once
            waits.append(next(at for at, level, _ in wire.begun[before:] if level is Level.RED) - began)
            await until(lambda: sum(level is Level.RED for _, level, _ in wire.begun[before:]) >= 10, timeout_s=30)  # noqa: B023 - used at once
            kinds = [public for _, level, public in wire.begun[before:] if level is Level.RED]
            assert kinds == sorted(kinds), "seats before the public"
        daemon.stop()
    await ledger.close()
    print(  # noqa: T201 - the figures are what a benchmark is run for
        f"\n{BLUE:,} blue texts at {RATE} a second under way: a red's first try began "
        f"{statistics.median(waits) * 1000:.0f} ms after its document was handed in (longest of {len(waits)}: {max(waits) * 1000:.0f} ms)"
    )


def test_a_red_amid_a_hundred_thousand_blue_ones(tmp_path: Path) -> None:
    asyncio.run(_measured(tmp_path))
