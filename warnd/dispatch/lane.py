"""One lane: claims what is due for one channel, sends it at the lane's pace, and hands each outcome to the recorder as it comes.

Lanes know nothing of each other, so a stuck one holds up nobody else; and within a lane a hung send holds up only its own place.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Channel, Failed, Outcome, Outgoing, Unknown
from warnd.clock import Clock
from warnd.dispatch.contents import Contents
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.recorder import Recorder
from warnd.ledger import claims
from warnd.ledger.claims import Claimed
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

_LOOK_S = 1.0  # Without a bell: for legs that become due by time alone, and for a channel that can send again.
_RETRY_S = 1.0
_SLICE_S = 0.5  # One claim takes at most this much of the lane's rate, so that a cancel finds little under way.
_LEASE_MS = 120_000
_LEAST_SHARE = (
    4  # Of a lane's places must be free before it claims again: few large claims cost less than many small ones.
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How fast a lane may go.

    Attributes:
        rate_per_s: Segments (or publishes) per second.
        concurrency: Tries under way at once.
        send_within_s: After which a try without an outcome counts as unknown.
    """

    rate_per_s: float = 100.0
    concurrency: int = 50
    send_within_s: float = 30.0


class Lane:
    """Claims and sends for one channel; drills run in a lane of their own."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        ledger: Ledger,
        clock: Clock,
        recorder: Recorder,
        contents: Contents,
        lookups: Lookups,
        limits: LaneLimits,
        writer: str,
        bell: Bell,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self._channel = channel
        self._ledger = ledger
        self._clock = clock
        self._recorder = recorder
        self._contents = contents
        self._lookups = lookups
        self._limits = limits
        self._writer = writer
        self._bell = bell
        self._metrics = metrics
        self._under_way = 0
        self._credit = limits.rate_per_s * _SLICE_S
        self._credited_at = clock.monotonic()
        self._paused_until = float("-inf")

    async def run(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Claim and send until `stopping` says so; then wait for what is under way to be recorded."""
        async with asyncio.TaskGroup() as sends:
            while not stopping():
                rings = self._bell.rings
                claimed = await self._claim()
                if claimed:
                    self._under_way += len(claimed)
                    self._credit -= len(claimed)  # At once: the next claim comes before these are rendered and counted.
                    sends.create_task(self._send(claimed, claimed_at=self._clock.monotonic()), name=f"send:{self.name}")
                else:
                    await self._bell.wait(self._pause_s(), since=rings)

    async def _claim(self) -> list[Claimed]:
        limit = self._room()
        if limit < 1 or self._channel.problem() is not None:
            return []
        stamp = Stamp(to_ms(self._clock.now()), self._writer)
        try:
            if not await self._ledger.read(claims.any_due, lane=self.name, now_ms=stamp.now_ms):
                return []
            return await self._ledger.write(claims.claim, lane=self.name, limit=limit, lease_ms=_LEASE_MS, stamp=stamp)
        except SQLAlchemyError as error:
            log.error("claim_failed", lane=self.name, error=str(error))
            await self._clock.sleep(_RETRY_S)
            return []

    def _room(self) -> int:
        """Return how many legs may be claimed now, by rate and by places under way."""
        now = self._clock.monotonic()
        if now < self._paused_until:
            return 0
        top = self._limits.rate_per_s * _SLICE_S
        self._credit = min(max(top, 1.0), self._credit + (now - self._credited_at) * self._limits.rate_per_s)
        self._credited_at = now
        places = self._limits.concurrency - self._under_way
        if places < self._limits.concurrency // _LEAST_SHARE:
            return 0
        return min(int(self._credit), places)

    def _pause_s(self) -> float:
        """Return how long to wait for the bell: not beyond the moment at which the lane's rate gives a try again."""
        missing = max(0.0, 1.0 - self._credit) / self._limits.rate_per_s
        return min(_LOOK_S, max(missing, 0.01)) if missing else _LOOK_S

    async def _send(self, claimed: list[Claimed], *, claimed_at: float) -> None:
        """Send one claim; every try gets exactly one outcome, whatever the channel does."""
        open_tries = dict(enumerate(claimed))
        async with asyncio.TaskGroup() as records:

            def settle(index: int, outcome: Outcome, parts: int = 1) -> None:
                one = open_tries.pop(index, None)
                if one is not None:
                    self._metrics.attempt(self.name, outcome)
                    records.create_task(self._record(one, outcome, parts), name=f"record:{self.name}")

            batch = await self._prepared(claimed, settle, claimed_at=claimed_at)
            try:
                async with asyncio.timeout(self._limits.send_within_s):
                    await self._through_channel(batch, settle)
            except TimeoutError:
                log.warning("send_took_too_long", lane=self.name, open=len(open_tries))
            except Exception as error:  # The edge to other people's code: whatever breaks there, no try is lost.
                log.exception("channel_broke", lane=self.name, error=str(error))
            for index in list(open_tries):
                settle(index, Unknown("the channel gave no outcome"), 1)

    async def _prepared(
        self, claimed: list[Claimed], settle: Callable[[int, Outcome], None], *, claimed_at: float
    ) -> list[tuple[int, Outgoing]]:
        """Render; what cannot or must not be said now is settled at once."""
        batch: list[tuple[int, Outgoing]] = []
        for index, one in enumerate(claimed):
            try:
                made = await self._contents.outgoing(one, claimed_at=claimed_at)
            except (ValueError, LookupError, SQLAlchemyError) as error:
                log.exception("text_failed", lane=self.name, leg=one.leg_no, error=str(error))
                made = Failed(f"its text could not be made: {error}")
            if isinstance(made, Failed):
                settle(index, made)
            else:
                batch.append((index, made))
        self._credit += len(claimed) - sum(each.segments for _, outgoing in batch for each in outgoing.texts)
        return batch

    async def _through_channel(
        self, batch: list[tuple[int, Outgoing]], settle: Callable[[int, Outcome, int], None]
    ) -> None:
        outcomes = self._channel.send([outgoing for _, outgoing in batch])
        async with aclosing(outcomes) as arriving:  # type: ignore[type-var]  # Every async generator has aclose; the protocol asks for less.
            async for place, outcome in arriving:
                index, outgoing = batch[place]
                settle(index, outcome, sum(each.segments for each in outgoing.texts))
                if isinstance(outcome, Failed) and outcome.retry == "throttled" and outcome.retry_after_s is not None:
                    self._paused_until = self._clock.monotonic() + outcome.retry_after_s

    async def _record(self, one: Claimed, outcome: Outcome, parts: int) -> None:
        try:
            tried = self._recorder.tried(
                leg_no=one.leg_no, number=one.number, token=one.token, outcome=outcome, parts=max(1, parts)
            )
            await self._recorder.outcome(tried)
            if isinstance(outcome, Unknown):
                self._lookups.doubt(one.channel, one.leg_no, one.number)
        finally:
            self._under_way -= 1
