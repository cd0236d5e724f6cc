"""The email channel built from settings as the daemon builds it, run beside a test, and mails to send by it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from channels.email import Email, build
from tests.fakes.message import red_flood
from tests.waiting import until
from warnd.channel import ANSWER_LINK, Context, Outcome, Outgoing, Receipt, Text
from warnd.clock import Clock, SystemClock
from warnd.settings import load

ZH = Text(
    "zh",
    f"洪水红色预警\n\n请转移。\n\n{ANSWER_LINK}\n",
    subject="洪水红色预警：柳河镇",
    html=f'<p>请转移。</p><a href="{ANSWER_LINK}">确认收到</a>',
)


@dataclass
class Post:
    """A channel that runs, and what it brought."""

    channel: Email
    clock: Clock
    brought: list[Receipt] = field(default_factory=list)
    failures: int = 0
    _numbers: "count[int]" = field(default_factory=count)

    def outgoing(
        self, address: str = "li@village.example", *, text: Text = ZH, start_by: float = float("inf")
    ) -> Outgoing:
        """Return a try of a red warning, with a link to answer by."""
        number, now = next(self._numbers), self.clock.now()
        message = red_flood(now, document="<alert>洪水</alert>".encode())
        attempt = f"a3b35babb0-{number}-1"
        url = f"https://warn.county.example/a/{attempt}.x"
        return Outgoing(attempt, message, "li", address, (text,), answer_url=url, start_by=start_by)

    async def send(self, *batch: Outgoing) -> list[Outcome]:
        """Send, and return the outcomes in order."""
        outcomes = {index: outcome async for index, outcome in self.channel.send(batch)}
        return [outcomes[index] for index in range(len(batch))]

    async def sink(self, receipt: Receipt) -> int | None:
        """Take a receipt, unless the ledger shall be broken."""
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        self.brought.append(receipt)
        return None


def post(folder: Path, toml: str, *, clock: Clock | None = None) -> Post:
    """Build the channel from `[email]` in a settings file in `folder`."""
    (folder / "warnd.toml").write_text(toml)

    async def nobody(_terminal: str) -> bytes | None:
        return None

    clock = clock or SystemClock()
    context = Context(clock, random.Random(7), terminal_key=nobody, announce=lambda _message_id: None)
    built = build(load(folder / "warnd.toml", {}), context)
    assert built is not None
    return Post(built, clock)


@asynccontextmanager
async def running(one: Post) -> AsyncIterator[Post]:
    """Run the channel; it has a connection."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.channel.run(one.sink))
        await until(lambda: one.channel.problem() is None)
        yield one
        task.cancel()
