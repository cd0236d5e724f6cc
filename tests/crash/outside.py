"""The world around a daemon that dies, in simulated time: what reached it stays, and what it was not thanked for it says again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from starlette.routing import BaseRoute

from tests.crash.watched import Life
from tests.simulation.acts import hearing
from tests.simulation.county import VILLAGES
from tests.simulation.virtual import LoopClock, simulated
from tests.simulation.world import playback
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Failed,
    Outcome,
    Outgoing,
    Playback,
    Presence,
    Receipt,
    ReceiptSink,
    Reply,
    Report,
    Unknown,
)
from warnd.model.evidence import Evidence

_AGAIN_S = 2.0
_PATIENCE_S = 10.0  # For which whoever brings a receipt waits for its confirmation.
DEAD, LOST, BUSY, OFF = "dead", "lost", "busy", "off"
"""Numbers out of service; whose first text is taken without a word; whose first text is refused; phones that stay off."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What reached somebody: a text, a mail, or a command for loudspeakers."""

    at_s: float
    channel: str
    out: Outgoing


@dataclass(slots=True)
class Outside:
    """Phones, mailboxes, loudspeakers and their gateways.

    Attributes:
        behaviours: Address -> DEAD, LOST, BUSY or OFF; everybody else hears and answers.
        arrived: Everything that reached anybody, in order.
        confirmed: Receipts that the daemon said it has.
        brought: How often receipts were brought, confirmed or not.
    """

    clock: LoopClock
    tasks: asyncio.TaskGroup
    behaviours: dict[str, str]
    arrived: list[Arrived] = field(default_factory=list)
    confirmed: list[Receipt] = field(default_factory=list)
    brought: int = 0
    owed: int = 0
    _wires: dict[str, "Wire"] = field(default_factory=dict)
    _tried: Counter[str] = field(default_factory=Counter)
    _spoken: Counter[str] = field(default_factory=Counter)
    _asked: set[tuple[str, str]] = field(default_factory=set)

    def wire(self, name: str, strongest: Evidence, life: Life) -> "Wire":
        """Return the channel of this name for a daemon's next life."""
        self._wires[name] = Wire(name, strongest, life, self)
        return self._wires[name]

    def take(self, channel: str, out: Outgoing) -> Outcome:
        """Take one try, as the gateway, server or broker of a channel does."""
        self._tried[out.address] += 1
        behaviour = self.behaviours.get(out.address)
        first = self._tried[out.address] == 1
        if behaviour == DEAD:
            return Failed("no such number", retry="permanent")
        if behaviour == BUSY and first:
            return Failed("503")
        self.arrived.append(Arrived(self.clock.monotonic(), channel, out))
        if behaviour == LOST and first:
            return Unknown("time-out")
        if channel == "mqtt":
            self._loudspeakers(out)
        elif behaviour != OFF:
            self._reader(channel, out)
        return Accepted(f"{channel}-{out.attempt}")

    def _reader(self, channel: str, out: Outgoing) -> None:
        report = Report(channel, out.attempt, Evidence.DELIVERED, raw=f"report {out.attempt}")
        self._bring(report, after_s=1.0)
        said = out.texts[0].text
        if ("回复" in said or "Reply" in said) and (out.message.id, out.address) not in self._asked:
            self._asked.add((out.message.id, out.address))
            digit = next(character for character in reversed(said) if character.isdigit())
            self._bring(Reply(channel, out.address, digit, raw=f"reply {out.attempt}"), after_s=2.0)

    def _loudspeakers(self, out: Outgoing) -> None:
        stages = (("received", 0.5), ("played", 3.0)) if out.message.verb == "play" else (("stopped", 0.5),)
        for terminal in hearing(out, VILLAGES):
            for stage, after_s in stages:
                if (terminal, f"{out.message.id} {stage}") in self._asked:
                    continue
                self._asked.add((terminal, f"{out.message.id} {stage}"))
                self._spoken[terminal] += 1
                self._bring(playback(out, terminal, stage, n=self._spoken[terminal]), after_s=after_s)

    def switch_on(self, terminal: str) -> None:
        """Let a loudspeaker tell that it is there."""
        usual: dict[str, Any] = {"boot_id": "boot-1", "heartbeat_s": 3600, "clock": "synced", "amplifier": "ok"}
        self._bring(
            Presence("mqtt", drill=False, terminal=terminal, online=True, volume=80, at=None, **usual), after_s=0.5
        )

    def _bring(self, receipt: Receipt, *, after_s: float) -> None:
        self.owed += 1
        self.tasks.create_task(self._until_confirmed(receipt, after_s))

    async def _until_confirmed(self, receipt: Receipt, after_s: float) -> None:
        await simulated(after_s)
        while not await self._brought(receipt):
            await simulated(_AGAIN_S)
        self.confirmed.append(receipt)
        self.owed -= 1

    async def _brought(self, receipt: Receipt) -> bool:
        """Bring a receipt once; return whether its confirmation came back."""
        wire = self._wires.get(receipt.channel)
        if wire is None or wire.sink is None or wire.life.over.is_set():
            return False
        self.brought += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await wire.deliver(receipt)
        except TimeoutError:
            return False

    def asked_about(self, attempt: str) -> Outcome:
        """Tell what became of an attempt, as a gateway that can be asked does."""
        known = any(one.out.attempt == attempt for one in self.arrived)
        return Accepted(f"found-{attempt}") if known else Failed("unheard of")


@dataclass(slots=True)
class Wire:
    """A channel of one life; its other side is the outside, which lives on."""

    name: str
    strongest: Evidence
    life: Life
    outside: Outside
    sink: ReceiptSink | None = None

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        for index, out in enumerate(batch):
            if asyncio.get_running_loop().time() > out.start_by:
                yield index, NOT_STARTED
                continue
            yield index, await self.life.act(f"leaves: {self.name}", partial(self._take, out))

    def _take(self, out: Outgoing) -> Outcome:
        return self.outside.take(self.name, replace(out, start_by=0.0))

    async def deliver(self, receipt: Receipt) -> bool:
        """Bring a receipt to the ledger; return True when the daemon has confirmed it."""
        assert self.sink is not None
        reached = await self.sink(receipt)
        if isinstance(receipt, Playback) and (reached is None or reached < receipt.n):
            return False  # An earlier one is missing; DESIGN §13: confirmed without a gap.
        return await self.life.act(f"confirmed: {self.name}", lambda: True)

    async def find(self, attempt: str) -> Outcome:
        await self.life.alive()
        return self.outside.asked_about(attempt)

    async def run(self, sink: ReceiptSink) -> None:
        self.sink = sink
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None
