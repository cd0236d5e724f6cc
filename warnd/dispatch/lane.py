"""One lane: claims what is due for one channel at the lane's pace, and has it sent.

Lanes know nothing of each other, so a stuck one holds up nobody else. When one is blocked, urgent deliveries start their next channel.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Channel
from warnd.clock import Clock
from warnd.dispatch.contents import Contents
from warnd.dispatch.lookout import Lookout
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.pace import LaneLimits, Places, Purse
from warnd.dispatch.quiet import Quiet
from warnd.dispatch.recorder import Recorder
from warnd.dispatch.senders import Senders
from warnd.dispatch.sending import Sending
from warnd.ledger import claims, detours, leases, messages
from warnd.ledger.allotment import Room, Terms
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_LOOK_S = 1.0  # Without a bell: for legs that become due by time alone, and for a channel that can send again.
_RETRY_S = 1.0
_LEASE_MARGIN_S = 15.0  # Beyond the longest send: for rendering, and for a recorder that waits for its disk.
_CHUNK = 500
_PROMPT_S = 0.5  # Beside what a try may wait until it begins, within the two seconds that a Cancel allows.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What a lane works with; the same for all lanes of a daemon."""

    ledger: Ledger
    clock: Clock
    recorder: Recorder
    contents: Contents
    lookups: Lookups
    lookout: Lookout
    quiet: Quiet
    writer: str
    bell: Bell
    metrics: Metrics


class Lane:
    """Claims and sends for one channel; drills run in a lane of their own."""

    def __init__(self, name: str, channel: Channel, *, limits: LaneLimits, bench: Workbench) -> None:
        self.name = name
        self._channel = channel
        self._ledger = bench.ledger
        self._clock = bench.clock
        self._lookout = bench.lookout
        self._quiet = bench.quiet
        self._writer = bench.writer
        self._bell = bench.bell
        self._metrics = bench.metrics
        self._limits = limits
        self._lease_ms = int((limits.send_within_s + _LEASE_MARGIN_S) * 1000)
        self._places = Places(limits.concurrency)
        self._purse = Purse(limits.rate_per_s, bench.clock.monotonic())
        self._senders = Senders(name, channel, bench.metrics)
        self._sending = Sending(
            name,
            channel,
            recorder=bench.recorder,
            contents=bench.contents,
            lookups=bench.lookups,
            metrics=bench.metrics,
            within_s=limits.send_within_s,
            others=lambda sender: self._senders.others(sender, to_ms(self._clock.now())),
            cost=self._purse.cost,
            over=self._places.free,
        )
        self._claimed_at = float("-inf")
        self._bypass_at = float("-inf")
        self._unheard: list[int] = []  # When claims were made of which the store did not say whether they stand.
        self._heard_ms = 0
        self._heard: set[tuple[int, int]] = set()  # Of the newest moment: clocks are set back by a little, too.

    async def run(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Claim and send until `stopping` says so; then wait for what is under way to be recorded."""
        async with asyncio.TaskGroup() as sends:
            while not stopping():
                rings = self._bell.rings
                claimed = await self._step()
                if not claimed:
                    await self._bell.wait(self._pause_s(), since=rings)
                for sender in dict.fromkeys(one.sender for one in claimed):
                    part = [one for one in claimed if one.sender == sender]
                    send = self._sending.send(part, claimed_at=self._claimed_at)
                    sends.create_task(send, name=f"send:{self.name}")

    def problem(self) -> str | None:
        """Return why nothing leaves although the channel itself sees no problem, or None."""
        return self._senders.problem(to_ms(self._clock.now()))

    def degraded(self) -> str | None:
        """Return which of its senders does not carry its part, or None."""
        return self._senders.degraded(to_ms(self._clock.now()))

    async def _step(self) -> list[Claimed]:
        """Claim what may be claimed now, and let urgent deliveries pass a lane that is blocked."""
        try:
            await self._take_back()
            if self._senders.blocked(to_ms(self._clock.now())) is not None:
                await self._bypass()
            return await self._claim()
        except SQLAlchemyError as error:
            log.error("claim_failed", lane=self.name, error=str(error))
            await self._clock.sleep(_RETRY_S)
            return []

    async def _claim(self) -> list[Claimed]:
        room = self._places.room()
        tokens = self._purse.tokens(self._clock.monotonic())
        if min(room.cancels, tokens) < 1 or self._channel.problem() is not None:
            return []
        stamp = Stamp(to_ms(self._clock.now()), self._writer)
        watched = self._senders.watched(stamp.now_ms)
        if not watched and not await self._lookout.due(self.name):
            return []
        urgent = not self._places.worth_while(room)
        look = await self._ledger.read(claims.look, lane=self.name, now_ms=stamp.now_ms, urgent=urgent, watched=watched)
        self._senders.learn(look.standings, stamp.now_ms)
        return await self._take(room, urgent=urgent, stamp=stamp) if look.due else []

    async def _take(self, room: Room, *, urgent: bool, stamp: Stamp) -> list[Claimed]:
        spent = self._purse.settle(self._senders.names)
        offers = self._senders.offers(self._places, spent, stamp.now_ms)
        if not any(one.places for one in offers):
            self._purse.owe(spent)
            return []
        room = Room(room.cancels, room.urgent, 0) if urgent else room
        terms = Terms(self._limits.rate_per_s, room, offers, spent=sum(spent.values()))
        asked_at = self._clock.monotonic()
        try:
            claimed = await self._ledger.write(
                claims.claim, lane=self.name, limit=room.cancels, lease_ms=self._lease_ms, stamp=stamp, terms=terms
            )
        except SQLAlchemyError:
            self._purse.owe(spent)
            self._unheard.append(stamp.now_ms)
            raise
        self._purse.took(len(claimed))
        for one in claimed:
            self._places.take(one.sender)
        self._heard = {(one.leg_no, one.number) for one in claimed} | (
            self._heard if self._heard_ms == stamp.now_ms else set()
        )
        self._heard_ms = stamp.now_ms
        self._claimed_at = await self._since(asked_at, claimed)
        return claimed

    async def _since(self, asked_at: float, claimed: list[Claimed]) -> float:
        """Return from when on these tries count as claimed.

        They were at some moment between asking and hearing. Where that is long (a network that stalls, a process that was stopped) a Cancel
        may have come since: then from the asking, so that what is too late is not begun.
        """
        heard_at = self._clock.monotonic()
        if not claimed or heard_at - asked_at <= _PROMPT_S:
            return heard_at
        try:
            stand = await self._ledger.read(messages.all_open, nos={one.message_no for one in claimed})
        except SQLAlchemyError as error:
            log.error("claim_not_looked_after", lane=self.name, error=str(error))
            return asked_at
        return heard_at if stand else asked_at

    async def _take_back(self) -> None:
        """Make due again what was claimed without our hearing of it: a server may die between its commit and its answer."""
        while self._unheard:
            stamp = Stamp(to_ms(self._clock.now()), self._writer)
            found = await self._ledger.write(
                leases.take_back, lane=self.name, claimed_at_ms=self._unheard[0], stamp=stamp, begun=self._heard
            )
            self._unheard.pop(0)
            if found:
                log.warning("claims_taken_back", lane=self.name, tries=found)

    def _pause_s(self) -> float:
        """Return how long to wait for the bell: not beyond the moment at which the lane's rate gives a try again."""
        look_s = self._quiet.pause_s(_LOOK_S)
        return min(look_s, self._purse.wait_s() or look_s)

    async def _bypass(self) -> None:
        """Start the next channel of urgent deliveries that this lane holds up, a bounded number in each transaction."""
        if self._clock.monotonic() < self._bypass_at:
            return
        after, looking = 0, True
        while looking:
            now_ms = to_ms(self._clock.now())
            found, look_on = await self._ledger.read(
                detours.stranded, lane=self.name, after=after, limit=_CHUNK, now_ms=now_ms
            )
            if found:
                stamp = Stamp(now_ms, self._writer)
                started, _ = await self._ledger.write(
                    detours.start, lane=self.name, after=after, limit=_CHUNK, stamp=stamp
                )
                self._metrics.bypassed(self.name, started)
                log.warning("lane_bypassed", lane=self.name, deliveries=started)
                self._bell.ring()
            after, looking = look_on, look_on > 0
        self._bypass_at = self._clock.monotonic() + _LOOK_S
