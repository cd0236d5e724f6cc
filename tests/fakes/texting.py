"""What a test of an SMS gateway needs around it: messages, a ledger's door, and the gateway running as the daemon runs it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from channels.sms import build
from channels.sms.gateway import Gateway
from tests.fakes.message import red_flood
from tests.waiting import until
from warnd.channel import Context, Outcome, Outgoing, Receipt, Text
from warnd.clock import Clock, SystemClock
from warnd.model.sms import segments
from warnd.settings import load

LONG = "洪水红色预警：柳河镇、清河镇沿岸低洼地区居民请立即转移到安全地点。" * 5
"""Three parts in UCS-2."""


@dataclass
class Door:
    """A ledger that commits, or does not while `shut`."""

    committed: list[Receipt] = field(default_factory=list)
    shut: bool = False
    refused: int = 0

    async def __call__(self, receipt: Receipt) -> int | None:
        if self.shut:
            self.refused += 1
            raise OSError("the disk is full")
        self.committed.append(receipt)
        return None


def gateway(toml: str, folder: Path, *, clock: Clock | None = None) -> Gateway:
    """Build the gateway of a settings file as the daemon does."""
    config = folder / "warnd.toml"
    config.write_text(toml, "utf-8")

    async def nobody(_terminal: str) -> bytes | None:
        return None

    context = Context(clock or SystemClock(), random.Random(7), nobody, announce=lambda _message: None)
    built = build(load(config, {}), context)
    assert built is not None
    return built


def text_to(
    number: str,
    text: str = "洪水红色预警。回复1确认",
    *,
    attempt: str = "a-1-1",
    message: str = "m1",
    now: datetime | None = None,
) -> Outgoing:
    """Return a try that lives for an hour."""
    now = now or SystemClock().now()
    about = red_flood(now, name=message, event="Flood", headline="Red flood warning", area="Riverside")
    return Outgoing(attempt, about, "officer", number, (Text("zh", text, segments=segments(text)),))


def texts_to(count: int, text: str = "洪水红色预警。回复1确认") -> list[Outgoing]:
    """Return as many tries of one message, each to a phone of its own."""
    return [text_to(f"+86138{number:08}", text, attempt=f"a-{number}-1") for number in range(count)]


async def sent(through: Gateway, batch: Sequence[Outgoing]) -> list[Outcome]:
    """Send; return the outcomes in the order of the batch, each exactly one."""
    outcomes: dict[int, Outcome] = {}
    async for index, outcome in through.send(batch):
        assert index not in outcomes
        outcomes[index] = outcome
    return [outcomes[index] for index in range(len(batch))]


@asynccontextmanager
async def running(one: Gateway, door: Door | None = None) -> AsyncIterator[Door]:
    """Run it until it can send, and for as long as the block lasts."""
    door = door or Door()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.run(door))
        await until(lambda: one.problem() is None)
        yield door
        task.cancel()
