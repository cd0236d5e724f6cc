"""Builds each channel as the daemon does, from a settings file, against its fake."""

import asyncio
import importlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from starlette.applications import Starlette

from channels import CHANNELS
from tests.contract.harness import CallsBack, Harness, OtherSide, Variant, variants
from tests.fakes.clock import HurriedClock
from tests.waiting import until
from warnd.channel import Channel, Context, Message, Outcome, Outgoing, Receipt
from warnd.clock import Clock, SystemClock
from warnd.model.level import Level
from warnd.settings import load


@dataclass
class Sink:
    """A ledger that fails `failures` times before it commits."""

    committed: list[Receipt] = field(default_factory=list)
    failures: int = 0

    async def __call__(self, receipt: Receipt) -> int | None:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        self.committed.append(receipt)
        return None


@dataclass
class Stage:
    """One channel, its other side, and what passed between them."""

    name: str
    side: OtherSide
    channel: Channel
    clock: Clock
    sink: Sink = field(default_factory=Sink)

    def message(self, name: str, *, drill: bool = False) -> Message:
        """Return a message with this id that lives for an hour."""
        now: datetime = self.clock.now()
        return Message(
            id=name,
            chain_id=name,
            seq=1,
            kind="warning",
            drill=drill,
            status="Exercise" if drill else "Actual",
            level=Level.RED,
            event="Flood",
            headline="Red flood warning",
            area="Riverside",
            issued_at=now,
            expires_at=now + timedelta(hours=1),
        )

    def outgoing(self, name: str, *, drill: bool = False) -> Outgoing:
        """Return a try of its own message."""
        return self.side.outgoing(f"{name}-1", self.message(name, drill=drill))

    async def send(self, batch: Sequence[Outgoing]) -> dict[int, Outcome]:
        """Send a batch; each index must be answered exactly once."""
        outcomes: dict[int, Outcome] = {}
        async for index, outcome in self.channel.send(batch):
            assert index not in outcomes, f"{index} was answered twice"
            outcomes[index] = outcome
        assert outcomes.keys() == set(range(len(batch)))
        return outcomes

    async def send_one(self, outgoing: Outgoing) -> Outcome:
        """Send a batch of one."""
        return (await self.send([outgoing]))[0]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the channel in the background, and see it work."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.channel.run(self.sink))
            await self.works()
            yield
            task.cancel()

    async def works(self) -> None:
        """Return when the channel says that it can send."""
        await until(lambda: self.channel.problem() is None, timeout_s=30)


@asynccontextmanager
async def _on_stage(variant: Variant, folder: Path) -> AsyncIterator[Stage]:
    name = variant.channel
    fake = importlib.import_module(f"tests.fakes.{variant.fake}")
    async with cast("Harness", fake.harness()).start(folder) as side:
        settings = folder / "warnd.toml"
        settings.write_text(side.toml)

        async def terminal_key(terminal: str) -> bytes | None:
            return side.terminal_keys.get(terminal)

        clock = HurriedClock(getattr(side, "hurry", 1.0))
        context = Context(clock, random.Random(7), terminal_key, announce=side.announce)
        channel = CHANNELS[name](load(settings, {}), context)
        assert channel is not None, "the settings of the fake do not switch its channel on"
        if isinstance(side, CallsBack):
            side.reaches(Starlette(routes=list(channel.routes())))
        yield Stage(name, side, channel, clock)


@pytest.fixture(params=variants(), ids=str)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with _on_stage(request.param, tmp_path) as built:
        yield built


@pytest.fixture
def bare_context() -> Context:
    """What a channel is built with that shall turn out to be off."""

    async def nobody(_terminal: str) -> bytes | None:
        return None

    return Context(SystemClock(), random.Random(7), terminal_key=nobody, announce=lambda _message_id: None)
