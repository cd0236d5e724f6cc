"""The daemon's side of one mqtt channel in a test: its options, its ledger, and tries to send."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from channels.mqtt import LineOptions, Mqtt, MqttOptions
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, TERMINAL, TERMINAL_KEY
from tests.fakes.message import red_flood
from tests.fakes.mqtt import PASSWORD
from tests.waiting import until
from warnd.channel import Context, Outcome, Outgoing, Receipt, Text
from warnd.clock import SystemClock
from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, public_bytes

NEIGHBOUR = "T-0002"


class StoppedClock(SystemClock):
    """The machine's clock, with a monotonic scale that a test moves."""

    def __init__(self) -> None:
        self.moment_s = 1000.0

    def monotonic(self) -> float:
        """Return where the test has put it."""
        return self.moment_s


@dataclass
class Books:
    """A ledger in memory: counts receipts as DESIGN §13 does, fails when told to, and waits when told to."""

    sunk: list[Receipt] = field(default_factory=list)
    fails: int = 0
    fails_for: str | None = None
    gate: asyncio.Event | None = None
    n: int | None = None

    async def __call__(self, receipt: Receipt) -> int | None:
        """Commit; return the n that the test has chosen, or the receipt's own."""
        if self.gate is not None:
            await self.gate.wait()
        if self.fails and self.fails_for in {None, getattr(receipt, "terminal", None)}:
            self.fails -= 1
            raise OSError("the disk is full")
        self.sunk.append(receipt)
        return getattr(receipt, "n", None) if self.n is None else self.n


@dataclass
class Daemon:
    """One channel as the daemon runs it."""

    channel: Mqtt
    context: Context
    books: Books
    clock: SystemClock
    forgotten: list[tuple[str, bool]]
    keys: dict[str, bytes]
    older_keys: dict[str, tuple[bytes, ...]]

    async def send(self, *batch: Outgoing) -> list[Outcome]:
        """Return the outcomes in the order of the batch."""
        outcomes = {index: outcome async for index, outcome in self.channel.send(batch)}
        return [outcomes[index] for index in range(len(batch))]

    def to_region(
        self, code: str, name: str = "flood-1", *, drill: bool = False, texts: Sequence[Text] = ()
    ) -> Outgoing:
        """Return a try to command one region; the message lives for two hours."""
        now: datetime = self.clock.now()
        message = red_flood(
            now,
            name=name,
            lives=timedelta(hours=2),
            drill=drill,
            status="Exercise" if drill else "Actual",
            event="Flood",
            headline="Red flood warning",
            area="Riverside",
        )
        speech = tuple(texts) or (Text("en", "Red flood warning. Move to high ground."),)
        return Outgoing(f"{name}-{code}", message, None, f"region:{code}", speech)

    @asynccontextmanager
    async def running(self, *, wait: bool = True) -> AsyncIterator["Daemon"]:
        """Run the channel; by default return when it is connected."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.channel.run(self.books))
            if wait:
                await until(lambda: self.channel.problem() is None)
            yield self
            task.cancel()


def live(host: str, port: int) -> LineOptions:
    """Return options for the live listener, with time-outs for a test."""
    return LineOptions(
        root=LIVE_ROOT,
        host=host,
        port=port,
        client_id="warnd",
        signing_key=LIVE_KEY,
        username="warnd",
        password=PASSWORD,
        timeout_s=5,
        retry_base_s=0.05,
        retry_cap_s=0.1,
    )


def drill(host: str, port: int) -> LineOptions:
    """Return options for the listener of drills."""
    return replace(live(host, port), root=DRILL_ROOT, client_id="warnd-drill", signing_key=DRILL_KEY)


def daemon(options: LineOptions, *, drill: LineOptions | None = None, clock: SystemClock | None = None) -> Daemon:
    """Build a channel whose ledger knows two terminals, which for once have one key."""
    keys = dict.fromkeys((TERMINAL, NEIGHBOUR), public_bytes(TERMINAL_KEY))

    async def terminal_key(terminal: str) -> bytes | None:
        return keys.get(terminal)

    older: dict[str, tuple[bytes, ...]] = {}

    async def older_keys(terminal: str) -> tuple[bytes, ...]:
        return older.get(terminal, ())

    clock, forgotten = clock or SystemClock(), list[tuple[str, bool]]()
    context = Context(
        clock,
        random.Random(11),
        terminal_key=terminal_key,
        announce=lambda _message_id: None,
        forgotten=lambda channel, of_drills: forgotten.append((channel, of_drills)),
        older_keys=older_keys,
    )
    return Daemon(Mqtt(MqttOptions(options, drill), context), context, Books(), clock, forgotten, keys, older)
