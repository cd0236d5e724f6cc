"""Several gateways behind one channel. Which of them takes a text is decided by who claims it; here it is only carried there.

What a gateway's answers mean is fixed in `channels.sms.gateway`; that is all that is known here of any.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import structlog
from starlette.routing import BaseRoute

from channels.sms.crew import Crew, Job, Tell
from channels.sms.gateway import NAME, Gateway
from warnd.channel import (
    Accepted,
    Context,
    Degradable,
    Failed,
    Finding,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptSink,
    Report,
    Sender,
    Unknown,
)

_WATCH_S = 1.0

log = structlog.get_logger(__name__)


class Named:
    """A gateway whose references begin with its sender's name: two accounts at one provider may give the same ones."""

    name = NAME

    def __init__(self, gateway: Gateway, sender: str) -> None:
        self._gateway = gateway
        self._sender = sender
        self.strongest = gateway.strongest

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send; see `warnd.channel.Channel`."""
        async for index, outcome in self._gateway.send(batch):
            yield index, self._outcome(outcome)

    async def find(self, attempt: str) -> Outcome:
        """Ask it; see `warnd.channel.Finder`."""
        return self._outcome(await self._gateway.find(attempt))

    async def probe(self) -> Sequence[Finding]:
        """Try it; see `warnd.channel.Prober`."""
        return [replace(found, about=f"{self._sender}: {found.about}") for found in await self._gateway.probe()]

    async def run(self, sink: ReceiptSink) -> None:
        """Run it until cancelled."""

        async def named(receipt: Receipt) -> int | None:
            if isinstance(receipt, Report) and receipt.reference is not None:
                receipt = replace(receipt, reference=self._named(receipt.reference))
            return await sink(receipt)

        await self._gateway.run(named)

    def routes(self) -> Sequence[BaseRoute]:
        """Return its endpoints."""
        return self._gateway.routes()

    def problem(self) -> str | None:
        """Return its problem."""
        return self._gateway.problem()

    def degraded(self) -> str | None:
        """Return what does not work of it."""
        return self._gateway.degraded() if isinstance(self._gateway, Degradable) else None

    def _outcome(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Accepted) and outcome.reference is not None:
            return replace(outcome, reference=self._named(outcome.reference))
        return outcome

    def _named(self, reference: str) -> str:
        return f"{self._sender}/{reference}"


class Fleet:
    """See `channels.sms.gateway.Gateway` and `warnd.channel.Sendered`."""

    name = NAME

    def __init__(self, ways: Sequence[tuple[Sender, Gateway]], context: Context) -> None:
        self._clock = context.clock
        self._senders = tuple(sender for sender, _ in ways)
        self._gateways = {sender.name: gateway for sender, gateway in ways}
        self.strongest = max(gateway.strongest for gateway in self._gateways.values())
        self._crew = Crew()

    def senders(self) -> Sequence[Sender]:
        """Return them in the order of the settings; see `warnd.channel.Sendered`."""
        return self._senders

    def trouble(self, sender: str) -> str | None:
        """Return why nothing can leave by one of them."""
        return self._gateways[sender].problem()

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send each by its sender, or by the first that can; see `warnd.channel.Channel`."""
        jobs = [
            Job(tuple(indices), partial(self._carry, name, batch, indices))
            for name, indices in self._parts(batch).items()
        ]
        async for settled in self._crew.outcomes(jobs):
            yield settled

    async def find(self, attempt: str) -> Outcome:
        """Ask all of them, where nobody knows which had the attempt."""
        told = [await gateway.find(attempt) for gateway in self._gateways.values()]
        return min(told, key=lambda one: (not isinstance(one, Accepted), not isinstance(one, Unknown)))

    async def find_at(self, sender: str, attempt: str) -> Outcome:
        """Ask one of them; one that the settings have no more cannot tell."""
        if sender not in self._gateways:
            return Unknown(f"{sender} is in the settings no more")
        return await self._gateways[sender].find(attempt)

    async def probe(self) -> Sequence[Finding]:
        """Try all; see `warnd.channel.Prober`."""
        return [found for gateway in self._gateways.values() for found in await gateway.probe()]

    async def run(self, sink: ReceiptSink) -> None:
        """Run all of them until cancelled."""
        async with self._crew.at_work() as tasks:
            for name, gateway in self._gateways.items():
                tasks.create_task(gateway.run(sink), name=f"sms {name}")
            await self._watch()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the endpoints of all."""
        return [route for gateway in self._gateways.values() for route in gateway.routes()]

    def problem(self) -> str | None:
        """Return why no text can leave by any."""
        if not self._crew.working:
            return "No SMS can leave: the gateways are not running yet. Wait a moment."
        troubles = {name: gateway.problem() for name, gateway in self._gateways.items()}
        if None in troubles.values():
            return None
        if len(troubles) == 1:
            return next(iter(troubles.values()))
        told = " ".join(f"{name}: {trouble}" for name, trouble in troubles.items())
        return f"No SMS can leave by any gateway. {told}"

    def degraded(self) -> str | None:
        """Return what comes back by none of them; who carries how much is told by the lane."""
        told = [gateway.degraded() for gateway in self._gateways.values() if isinstance(gateway, Degradable)]
        return next((each for each in told if each), None)

    def _parts(self, batch: Sequence[Outgoing]) -> dict[str, list[int]]:
        parts: dict[str, list[int]] = {}
        for index, outgoing in enumerate(batch):
            parts.setdefault(outgoing.sender or self._first(), []).append(index)
        return parts

    def _first(self) -> str:
        able = (name for name, gateway in self._gateways.items() if gateway.problem() is None)
        return next(able, self._senders[0].name)

    async def _carry(self, name: str, batch: Sequence[Outgoing], indices: Sequence[int], tell: Tell) -> None:
        """Settle what one gateway has of a batch, in one call: what belongs together may cost less together."""
        gateway = self._gateways.get(name)
        if gateway is None:
            for index in indices:
                tell(index, Failed(f"{name} is no gateway of these settings"))
            return
        async for place, outcome in gateway.send([batch[index] for index in indices]):
            tell(indices[place], outcome)

    async def _watch(self) -> None:
        """Tell when a gateway stops or starts to be of use: while another one works, no problem shows it."""
        known: dict[str, str | None] = {}
        while True:
            await self._clock.sleep(_WATCH_S)  # First: while they start, every gateway has a problem.
            for name, gateway in self._gateways.items():
                problem = gateway.problem()
                if problem != known.get(name):
                    if problem:
                        log.warning("sms_gateway_problem", gateway=name, problem=problem)
                    else:
                        log.info("sms_gateway_usable", gateway=name)
                known[name] = problem
