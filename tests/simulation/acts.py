"""How the other side of a channel behaves: phones that are off, gateways in trouble, loudspeakers that cannot play."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.simulation.world import Act, Wire, obedient_phone, playback
from warnd.channel import Accepted, Failed, Outcome, Outgoing, Report
from warnd.model.evidence import Evidence


async def reporting(outgoing: Outgoing, wire: Wire) -> Outcome:
    """A phone that is on and whose owner does not answer: delivery is reported after 2 s."""
    await wire.bring(Report("sms", outgoing.attempt, Evidence.DELIVERED), after_s=2)
    return Accepted("gateway")


def answering(outcome: Outcome) -> Act:
    """A gateway that says the same to everything and never more."""

    async def act(_outgoing: Outgoing, _wire: Wire) -> Outcome:
        return outcome

    return act


def first(outcomes: Sequence[Outcome], then: Act = obedient_phone) -> Act:
    """A gateway that gives each address these outcomes, one a try, before it works."""
    tried: Counter[str] = Counter()

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        tried[outgoing.address] += 1
        number = tried[outgoing.address]
        return outcomes[number - 1] if number <= len(outcomes) else await then(outgoing, wire)

    return act


def each(acts: Mapping[str, Act], otherwise: Act = obedient_phone) -> Act:
    """Another behaviour for recipients whose id begins with one of the keys."""

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        who = outgoing.recipient or outgoing.address
        chosen = next((one for start, one in acts.items() if who.startswith(start)), otherwise)
        return await chosen(outgoing, wire)

    return act


def loudspeakers(villages: Sequence[str], says: Callable[[str, int], Mapping[str, Any]]) -> Act:
    """Loudspeakers that answer a play at once with one receipt, made of what `says(terminal, how many it got before)` returns."""
    count: Counter[str] = Counter()

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        for terminal in hearing(outgoing, villages):
            if outgoing.message.verb == "play":
                said = dict(says(terminal, count[terminal]))
                count[terminal] += 1
                receipt = playback(outgoing, terminal, said.pop("stage"), n=count[terminal], **said)
                await wire.bring(receipt, after_s=1)
        return Accepted("broker")

    return act


def hearing(outgoing: Outgoing, villages: Sequence[str]) -> list[str]:
    """Return the loudspeakers that read the topic, or the one that is meant."""
    kind, _, target = outgoing.address.partition(":")
    if kind == "terminal":
        return [target]
    return [f"term-{village}" for village in villages if village.startswith(target.rstrip("0"))]


THROTTLED = Failed("429 too many requests", retry="throttled", retry_after_s=20.0)
BROKEN = Failed("503 unavailable")
