"""A channel at work outside of the daemon, for tests of one channel."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.waiting import until
from warnd.channel import Channel, Context, Outcome, Outgoing, Receipt
from warnd.clock import Clock, SystemClock

Send = Callable[[Outgoing], Awaitable[Outcome]]


def context(clock: Clock | None = None) -> Context:
    """Return what channels are built with that know no terminals."""

    async def nobody(_terminal: str) -> bytes | None:
        return None

    return Context(clock or SystemClock(), random.Random(7), terminal_key=nobody, announce=lambda _message_id: None)


@asynccontextmanager
async def running(channel: Channel) -> AsyncIterator[Send]:
    """Run it until the block ends; give what sends one try and returns its outcome."""

    async def sink(receipt: Receipt) -> int | None:
        del receipt
        return None

    async def send(outgoing: Outgoing) -> Outcome:
        outcomes = [outcome async for _, outcome in channel.send([outgoing])]
        assert len(outcomes) == 1
        return outcomes[0]

    async with asyncio.TaskGroup() as group:
        task = group.create_task(channel.run(sink))
        await until(lambda: channel.problem() is None)
        yield send
        task.cancel()
