"""The far end of every channel: gateways in trouble, phones whose owners answer, mailboxes. One of each, whatever daemons come and go.

What a provider says and what it did are two things: it may take a text and answer nothing, or answer "unknown" and deliver.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from random import Random
from typing import Any

from starlette.routing import BaseRoute

from tests.simulation.seeded.judge import Call, Judge
from tests.simulation.virtual import simulated
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Context,
    Failed,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptSink,
    Reply,
    Report,
    Unknown,
)
from warnd.model.evidence import Evidence

_WEBHOOK_S = 12.0  # For which a provider waits for its receipt to be confirmed before it brings it again.
_AGAIN_S = 3.0

# How often a provider does what; each scenario draws one table for each channel.
MOODS: dict[str, dict[str, float]] = {
    "calm": {"ok": 1.0},
    "human": {"ok": 0.8, "transient": 0.06, "throttled": 0.03, "unknown": 0.05, "slow": 0.05, "permanent": 0.01},
    "sick": {
        "ok": 0.35,
        "transient": 0.3,
        "throttled": 0.05,
        "unknown": 0.12,
        "lost": 0.06,
        "hang": 0.04,
        "slow": 0.06,
        "permanent": 0.02,
    },
    "dead": {"transient": 0.6, "hang": 0.2, "lost": 0.2},
    "mute": {"ok": 0.2, "unknown": 0.4, "lost": 0.2, "hang": 0.2},
}


@dataclass(slots=True)
class World:
    """What the far ends share: time, chance, the judge, and whoever takes receipts now.

    Attributes:
        calm: From now on everything works.
        sinks: (channel, sink) of the daemons that live.
    """

    judge: Judge
    dice: Random
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    calm: bool = False
    sinks: list[tuple[str, ReceiptSink]] = field(default_factory=list)

    def later(self, after_s: float, receipt: Receipt) -> None:
        """Bring a receipt after a while, and again until it is confirmed."""
        self.spawn(self._bring(after_s, receipt))

    async def _bring(self, after_s: float, receipt: Receipt) -> None:
        await simulated(after_s)
        while await self.brought(receipt) is None:
            await simulated(_AGAIN_S)

    async def brought(self, receipt: Receipt) -> tuple[int | None] | None:
        """Bring a receipt once; return what the daemon that confirmed it said, or None if none did."""
        takers = [sink for channel, sink in self.sinks if channel == receipt.channel]
        if not takers:
            return None
        self.judge.tell(f"    {_shortly(receipt)}")
        try:
            async with asyncio.timeout(_WEBHOOK_S):
                reached = await self.dice.choice(takers)(receipt)
        except TimeoutError:
            return None
        if isinstance(receipt, Report):
            told = (receipt.attempt, receipt.reference, int(receipt.evidence), int(receipt.failed), receipt.part)
            self.judge.promised.add(told)
        return (reached,)


def _shortly(receipt: Receipt) -> str:
    """Return a receipt in a line: what differs from the usual."""
    told = [
        f"{each.name}={getattr(receipt, each.name)!r}" for each in fields(receipt) if each.name not in {"at", "raw"}
    ]
    return f"{type(receipt).__name__} {' '.join(one for one in told if not one.endswith(('=None', '=False', '=0')))}"


@dataclass(slots=True)
class Provider:
    """One provider: what it does with a call.

    Attributes:
        mood: Which of `MOODS` it is in.
    """

    channel: str
    strongest: Evidence
    world: World
    mood: str = "human"
    down: str | None = None

    async def take(self, outgoing: Outgoing) -> Outcome:
        """Take one call and say what became of it."""
        call = self.world.judge.begins(self.channel, outgoing)
        does = self._draw()
        if does in {"ok", "unknown", "slow", "hang"}:  # A provider that hangs has it all the same, or not, see "lost".
            call.took = True
            self.reach(call)
        outcome = await self._answer(does, call)
        self.world.judge.tell(f"    {self.channel} answers {outgoing.attempt}: {outcome}")
        return outcome

    def reach(self, call: Call) -> None:
        """Let it reach whom it is meant for."""
        call.heard = True

    async def find(self, attempt: str) -> Outcome:
        """Say what became of an attempt, as far as anybody can."""
        await simulated(self.world.dice.uniform(0.05, 1.0))
        call = self.world.judge.by_attempt.get(attempt)
        if self.world.dice.random() < 0.3:
            return Unknown("look again later")
        return Accepted(_reference(attempt)) if call is not None and call.took else Failed("unknown here")

    def _draw(self) -> str:
        table = MOODS["calm" if self.world.calm else self.mood]
        return self.world.dice.choices(list(table), list(table.values()))[0]

    async def _answer(self, does: str, call: Call) -> Outcome:
        dice = self.world.dice
        if does == "hang":
            await simulated(10_000)
        await simulated(dice.uniform(2.0, 12.0) if does == "slow" else dice.uniform(0.01, 0.4))
        if does in {"unknown", "lost"}:
            return Unknown("reset by peer")
        if does == "transient":
            return Failed("503 unavailable", retry_after_s=dice.choice([None, None, 4.0]))
        if does == "permanent":
            return Failed("no such address", retry="permanent")
        if does == "throttled":
            return Failed("429 too many requests", retry="throttled", retry_after_s=dice.uniform(1, 8))
        return Accepted(_reference(call.outgoing.attempt), segments=dice.choice([None, 2]))


def _reference(attempt: str) -> str:
    return f"ref-{attempt}"


class Phones(Provider):
    """A gateway and all the phones behind it."""

    def reach(self, call: Call) -> None:
        """Let the text arrive, or not; let reports come in any order, and its reader answer."""
        dice, outgoing = self.world.dice, call.outgoing
        call.heard = self.world.calm or dice.random() < 0.85
        for after_s, report in self._reports(call):
            self.world.later(after_s, report)
            if dice.random() < 0.1:
                self.world.later(after_s + dice.uniform(0, 20), report)
        if (call.heard and not self.world.calm) or dice.random() < 0.5:
            self._answered(outgoing, call)

    def _reports(self, call: Call) -> list[tuple[float, Report]]:
        dice = self.world.dice
        if dice.random() < (0.05 if self.world.calm else 0.2):
            return []  # Many gateways report nothing for some operators.
        by_reference = dice.random() < 0.2
        base = Report(
            self.channel,
            None if by_reference else call.outgoing.attempt,
            Evidence.DELIVERED if call.heard else Evidence.NONE,
            failed=not call.heard,
            reference=_reference(call.outgoing.attempt) if by_reference else None,
            reason=None if call.heard else "expired in the network",
            permanent=not call.heard and dice.random() < 0.2,
        )
        after_s = dice.choice([0.0, 0.1, 1.0, 3.0, 6.0, 15.0, 45.0])
        if dice.random() < 0.75:
            call.refuted = not call.heard
            return [(after_s, base)]
        parts = [replace(base, part=part, parts=2) for part in (1, 2)]
        dice.shuffle(parts)
        if not call.heard:
            parts[0] = replace(parts[0], failed=False, evidence=Evidence.DELIVERED)  # One part came, the other did not.
        return [(after_s + n * dice.uniform(0, 4), part) for n, part in enumerate(parts)]

    def _answered(self, outgoing: Outgoing, call: Call) -> None:
        dice, said = self.world.dice, outgoing.texts[0].text
        if not call.heard or dice.random() < 0.3:
            return
        digits = [character for character in said if character in "123456789"]
        asked = ("回复" in said or "Reply" in said) and bool(digits)
        words = ["收到", "ok", "你是谁", dice.choice("123456789")]
        text = digits[-1] if asked and dice.random() < 0.8 else dice.choice(words)
        if (outgoing.recipient or "").startswith("home"):
            if dice.random() < 0.85:
                return
            text = dice.choice(["TD", "退订", "start"])
        after_s = dice.uniform(1, 40)
        at = self.world.judge.clock.now() + timedelta(seconds=after_s)
        self.world.judge.wrote_back.add(outgoing.address)
        self.world.later(after_s, Reply(self.channel, outgoing.address, text, at=dice.choice([at, at, None])))


class Mailboxes(Provider):
    """A mail server: links that are pressed, letters that come back."""

    def reach(self, call: Call) -> None:
        """Let a letter be read or come back."""
        dice, outgoing = self.world.dice, call.outgoing
        drawn = dice.random()
        call.heard = drawn < 0.8
        if drawn > 0.85:
            call.refuted = True
            bounced = Report(self.channel, outgoing.attempt, Evidence.NONE, failed=True, permanent=drawn > 0.93)
            self.world.later(dice.uniform(0.5, 20), bounced)
        elif call.heard and drawn < 0.2:
            self.world.later(dice.uniform(0.0, 5), Report(self.channel, outgoing.attempt, Evidence.DELIVERED))
        if call.heard and outgoing.answer_url is not None and dice.random() < 0.5:
            self.world.judge.wrote_back.add(outgoing.address)
            pressed = Report(self.channel, outgoing.attempt, Evidence.ACKNOWLEDGED)
            self.world.later(dice.uniform(2, 50), pressed)


@dataclass(slots=True)
class Wire:
    """One daemon's connection to a provider: what the daemon takes for its channel.

    Attributes:
        cut: The daemon is gone, and nothing of it goes over the wire any more.
    """

    provider: Provider
    context: Context
    cut: bool = False
    name: str = field(init=False)
    strongest: Evidence = field(init=False)
    takes: tuple[str, ReceiptSink] | None = None

    def __post_init__(self) -> None:
        self.name = self.provider.channel
        self.strongest = self.provider.strongest

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        done: asyncio.Queue[tuple[int, Outcome]] = asyncio.Queue()

        async def one(index: int, outgoing: Outgoing) -> None:
            done.put_nowait((index, await self._try(outgoing)))

        async with asyncio.TaskGroup() as tries:
            for index, outgoing in enumerate(batch):
                tries.create_task(one(index, outgoing))
            for _ in batch:
                yield await done.get()

    async def _try(self, outgoing: Outgoing) -> Outcome:
        dice = self.provider.world.dice
        await simulated(dice.choice([0.0, 0.0, 0.0, 0.0, 0.02, 0.3, 1.4, 4.0]))  # A place on a connection.
        if asyncio.get_running_loop().time() > outgoing.start_by:
            return NOT_STARTED
        if self.cut:
            await asyncio.get_running_loop().create_future()
        return await self.provider.take(outgoing)

    async def run(self, sink: ReceiptSink) -> None:
        self.takes = (self.name, sink)
        self.provider.world.sinks.append(self.takes)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection, as its daemon's death does."""
        self.cut = True
        if self.takes is not None and self.takes in self.provider.world.sinks:
            self.provider.world.sinks.remove(self.takes)

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return self.provider.down


class AskedWire(Wire):
    """A provider that can be asked what became of an attempt."""

    async def find(self, attempt: str) -> Outcome:
        return await self.provider.find(attempt)


class PublicWire(Wire):
    """The public site, which gets every public message by a publication."""

    def targets(self) -> Sequence[str]:
        return ("site",)
