"""Asks providers what became of attempts whose fate is unknown, while their legs wait: a sure answer saves a blind repeat.

A provider that is slow or silent holds up only the questions to itself: every one is bounded, few are under way at once, and nothing else
waits for them. What could not be found out is repeated after its wait, as if nobody had asked.
"""

import asyncio
import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.channel import Channel, Finder, Outcome, Sendered, Unknown
from warnd.clock import Clock
from warnd.dispatch.recorder import Recorder
from warnd.ledger import doubts
from warnd.ledger.node import attempt_id
from warnd.ledger.store import Ledger

_PAUSES_S = (3.0, 12.0, 30.0)  # Before each question: providers know a message a moment after they took it.
_AT_ONCE = 8  # Questions to one provider.
_WITHIN_S = 10.0
_LOOK_S = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class _Doubt:
    """One attempt to ask about, and when on the clock's monotonic scale."""

    ask_at: float
    leg_no: int
    number: int
    asked: int = 0
    sender: str = ""


@dataclass(slots=True)
class _Provider:
    """A channel that can tell, and what it is to be asked."""

    finder: Finder
    by_sender: Sendered | None
    waiting: list[_Doubt] = field(default_factory=list)
    taken_up: set[tuple[int, int]] = field(
        default_factory=set
    )  # A try in doubt is found more than once when a worker has died.
    under_way: int = 0


class Lookups:
    """Keeps the questions and asks them."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, recorder: Recorder, channels: Mapping[str, Channel], tag: str
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._recorder = recorder
        self._tag = tag
        self._providers = {
            name: _Provider(one, one if isinstance(one, Sendered) else None)
            for name, one in channels.items()
            if isinstance(one, Finder)
        }
        self._arrival = asyncio.Event()

    def doubt(self, channel: str, leg_no: int, number: int, *, sender: str = "") -> None:
        """Take up an attempt whose fate is unknown; nothing happens if its channel cannot tell, or is being asked already.

        `sender` had it; where nobody knows, all are asked.
        """
        provider = self._providers.get(channel)
        if provider is not None and (leg_no, number) not in provider.taken_up:
            provider.taken_up.add((leg_no, number))
            ask_at = self._clock.monotonic() + _PAUSES_S[0]
            heapq.heappush(provider.waiting, _Doubt(ask_at, leg_no, number, sender=sender))
            self._arrival.set()

    async def start(self) -> None:
        """Take up what an earlier run left in doubt."""
        found = await self._ledger.read(doubts.open_ones, channels=sorted(self._providers))
        for leg_no, number, channel, sender in found:
            self.doubt(channel, leg_no, number, sender=sender)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                if not any(each.waiting for each in self._providers.values()):
                    self._arrival.clear()
                    await self._arrival.wait()
                for name, provider in self._providers.items():
                    for one in self._due(provider):
                        provider.under_way += 1
                        group.create_task(self._settle(provider, one), name=f"lookup:{name}:{one.leg_no}")
                await self._clock.sleep(_LOOK_S)

    def _due(self, provider: _Provider) -> list[_Doubt]:
        now, free = self._clock.monotonic(), _AT_ONCE - provider.under_way
        due: list[_Doubt] = []
        while provider.waiting and provider.waiting[0].ask_at <= now and len(due) < free:
            due.append(heapq.heappop(provider.waiting))
        return due

    async def _settle(self, provider: _Provider, one: _Doubt) -> None:
        """Ask once; what stays unknown is asked again a little later, as long as its leg waits."""
        again = False
        try:
            if not await self._ledger.read(doubts.stands, leg_no=one.leg_no, number=one.number):
                return
            outcome = await self._found(provider, one.sender, attempt_id(self._tag, one.leg_no, one.number))
            if isinstance(outcome, Unknown):
                again = self._again(provider, one)
                return
            tried = self._recorder.tried(leg_no=one.leg_no, number=one.number, token=-1, outcome=outcome, parts=1)
            await self._recorder.outcome(tried)
        except SQLAlchemyError as error:  # It is repeated after its wait, which costs a duplicate at most.
            log.error("lookup_failed", leg=one.leg_no, error=str(error))
        finally:
            provider.under_way -= 1
            if not again:
                provider.taken_up.discard((one.leg_no, one.number))

    async def _found(self, provider: _Provider, sender: str, attempt: str) -> Outcome:
        try:
            async with asyncio.timeout(_WITHIN_S):
                if sender and provider.by_sender is not None:
                    return await provider.by_sender.find_at(sender, attempt)
                return await provider.finder.find(attempt)
        except TimeoutError:
            return Unknown("the provider did not tell in time")
        except Exception as error:  # The edge to other people's code: whatever breaks there, the attempt stays unknown.
            log.exception("finder_broke", attempt=attempt, error=str(error))
            return Unknown("the look-up failed")

    def _again(self, provider: _Provider, one: _Doubt) -> bool:
        """Ask later once more; return False if it was asked often enough."""
        asked = one.asked + 1
        if asked == len(_PAUSES_S):
            return False
        ask_at = self._clock.monotonic() + _PAUSES_S[asked]
        heapq.heappush(provider.waiting, _Doubt(ask_at, one.leg_no, one.number, asked, one.sender))
        return True
