"""Two gateways, of which the second takes what the first certainly did not take. It never sends one try by both unless the first said no.

What a gateway's answers mean is fixed in `channels.sms.gateway`; that is all that is known here of either.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog
from starlette.routing import BaseRoute

from channels.sms.breaker import Breaker
from channels.sms.crew import Crew, Job, Tell
from channels.sms.gateway import NAME, Gateway
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Context,
    Degradable,
    Failed,
    Finding,
    Outcome,
    Outgoing,
    ReceiptSink,
    Unknown,
)

_KEPT = 50_000  # Attempts whose gateway is remembered; older ones are asked of both.
_WATCH_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """One gateway under its name in the settings, and what its latest tries were worth."""

    name: str
    gateway: Gateway
    breaker: Breaker

    def admit(self) -> bool:
        """Let a try through, if the gateway can take one and does not rest."""
        return self.gateway.problem() is None and self.breaker.admit()

    def trouble(self) -> str | None:
        """Return why nothing can leave this way now, or None."""
        if problem := self.gateway.problem():
            return f"{self.name}: {problem}"
        if self.breaker.ready():
            return None
        return f"{self.name}: it rests for {self.breaker.resting_s():.0f} s after: {self.breaker.cause}."

    def degraded(self) -> str | None:
        """Return why it is not relied upon, in words that stay the same while the cause does; None if it is."""
        if problem := self.gateway.problem():
            return problem
        return f"It is tried now and then after: {self.breaker.cause}." if self.breaker.failing() else None

    def note(self, outcome: Outcome) -> None:
        """Learn from a try, and tell when that changes whether there will be others."""
        before = self.breaker.cause
        self.breaker.ended(outcome)
        if self.breaker.cause != before:
            told = {"gateway": self.name, "cause": self.breaker.cause, "for_s": round(self.breaker.resting_s())}
            log.warning("sms_gateway_rests", **told) if self.breaker.cause else log.info("sms_gateway_back", **told)


class Chooser:
    """See `channels.sms.gateway.Gateway`."""

    name = NAME

    def __init__(self, ways: tuple[tuple[str, Gateway], tuple[str, Gateway]], context: Context) -> None:
        self._clock = context.clock
        self._first, self._second = (Way(name, one, Breaker(context.clock.monotonic)) for name, one in ways)
        self.strongest = max(one.strongest for _, one in ways)
        self._crew = Crew()
        self._by: OrderedDict[str, Way] = OrderedDict()

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send each by the first gateway that can take it; see `warnd.channel.Channel`."""
        if not batch:
            return
        job = Job(tuple(range(len(batch))), partial(self._carry, batch))
        async for settled in self._crew.outcomes([job]):
            yield settled

    async def find(self, attempt: str) -> Outcome:
        """Ask the gateway that had the attempt last, or both if that is forgotten."""
        if attempt in self._by:
            return await self._by[attempt].gateway.find(attempt)
        told = [await way.gateway.find(attempt) for way in self._ways]
        return min(told, key=lambda one: (not isinstance(one, Accepted), not isinstance(one, Unknown)))

    async def probe(self) -> Sequence[Finding]:
        """Try both; see `warnd.channel.Prober`."""
        return [found for way in self._ways for found in await way.gateway.probe()]

    async def run(self, sink: ReceiptSink) -> None:
        """Run both gateways until cancelled."""
        async with self._crew.at_work() as tasks:
            for way in self._ways:
                tasks.create_task(way.gateway.run(sink), name=f"sms {way.name}")
            await self._watch()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the endpoints of both."""
        return [route for way in self._ways for route in way.gateway.routes()]

    def problem(self) -> str | None:
        """Return why no text can leave by either; while one can, `degraded` tells of the other."""
        if not self._crew.working:
            return "No SMS can leave: the gateways are not running yet. Wait a moment."
        troubles = [way.trouble() for way in self._ways]
        if None in troubles:
            return None
        return f"No SMS can leave by either gateway. {' '.join(str(trouble) for trouble in troubles)}"

    def degraded(self) -> str | None:
        """Return what is wrong with one gateway while the other carries the texts, or with what comes back by either."""
        if self.problem() is not None:
            return None
        for way, other in (self._ways, self._ways[::-1]):
            if trouble := way.degraded():
                return f"Texts leave by {other.name} alone; if that fails, none does. {way.name}: {trouble}"
        told = [way.gateway.degraded() for way in self._ways if isinstance(way.gateway, Degradable)]
        return next((each for each in told if each), None)

    @property
    def _ways(self) -> tuple[Way, Way]:
        return self._first, self._second

    async def _carry(self, batch: Sequence[Outgoing], tell: Tell) -> None:
        """Settle a whole batch."""
        first: list[int] = []
        second: list[int] = []
        for index in range(len(batch)):
            if self._first.admit():
                first.append(index)
            elif self._second.admit():
                second.append(index)
            else:
                tell(index, self._nowhere())
        over: asyncio.Queue[tuple[int, Failed] | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._by_second(batch, dict.fromkeys(second), tell))
            group.create_task(self._take_over(batch, over, tell))
            async for index, outcome in self._by_way(self._first, batch, first):
                if isinstance(outcome, Failed) and self._passes_on(outcome, batch[index]):
                    over.put_nowait((index, outcome))
                else:
                    tell(index, outcome)
            over.put_nowait(None)

    async def _take_over(
        self, batch: Sequence[Outgoing], over: "asyncio.Queue[tuple[int, Failed] | None]", tell: Tell
    ) -> None:
        """Send by the second gateway what the first refuses, as soon as it does; what comes together goes together."""
        async with asyncio.TaskGroup() as group:
            more = True
            while more:
                refused = [await over.get()]
                while not over.empty():
                    refused.append(over.get_nowait())
                more = None not in refused
                taken: dict[int, Failed | None] = dict(one for one in refused if one is not None)
                group.create_task(self._by_second(batch, taken, tell))

    async def _by_second(self, batch: Sequence[Outgoing], indices: dict[int, Failed | None], tell: Tell) -> None:
        """Send by the second gateway; `indices` has with each what the first one said, None where it was not asked."""
        async for index, outcome in self._by_way(self._second, batch, list(indices)):
            tell(index, _joined(indices[index], outcome))

    async def _by_way(
        self, way: Way, batch: Sequence[Outgoing], indices: Sequence[int]
    ) -> AsyncIterator[tuple[int, Outcome]]:
        if not indices:
            return
        for index in indices:
            self._remember(batch[index].attempt, way)
        open_tries = len(indices)
        try:
            async for place, outcome in way.gateway.send([batch[index] for index in indices]):
                open_tries -= 1
                way.note(outcome)
                yield indices[place], outcome
        finally:
            for _ in range(open_tries):  # Else a single try after a rest would be waited for for ever.
                way.note(Unknown("the gateway gave no outcome"))

    def _passes_on(self, outcome: Failed, outgoing: Outgoing) -> bool:
        """Say whether the second gateway shall try: the first certainly has it not, the number is not at fault, and there is time."""
        if outcome.retry == "permanent" or outcome == NOT_STARTED or self._clock.monotonic() > outgoing.start_by:
            return False
        return self._second.admit()

    def _nowhere(self) -> Failed:
        rest_s = min(way.breaker.resting_s() for way in self._ways)
        return Failed(
            self.problem() or "both gateways are being tried", retry="throttled", retry_after_s=max(1.0, rest_s)
        )

    def _remember(self, attempt: str, way: Way) -> None:
        self._by[attempt] = way
        self._by.move_to_end(attempt)
        if len(self._by) > _KEPT:
            self._by.popitem(last=False)

    async def _watch(self) -> None:
        """Tell when a gateway stops or starts to be of use: while the other one works, no problem shows it."""
        known: dict[str, str | None] = {}
        while True:
            await self._clock.sleep(_WATCH_S)  # First: while they start, every gateway has a problem.
            for way in self._ways:
                problem = way.gateway.problem()
                if problem != known.get(way.name):
                    if problem:
                        log.warning("sms_gateway_problem", gateway=way.name, problem=problem)
                    else:
                        log.info("sms_gateway_usable", gateway=way.name)
                known[way.name] = problem


def _joined(before: Failed | None, outcome: Outcome) -> Outcome:
    """Return the second gateway's outcome; where it failed too, with both reasons."""
    if before is None or not isinstance(outcome, Failed) or outcome.retry == "permanent":
        return outcome
    return replace(outcome, reason=f"{before.reason}; then {outcome.reason}")
