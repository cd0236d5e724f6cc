"""From a claim to its outcomes: rendered, handed to the channel, and each outcome to the recorder as it comes.

Every try gets exactly one outcome, whatever the channel does; a hung send holds up only its own place.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.channel import Channel, Failed, Outcome, Outgoing, Unknown
from warnd.dispatch.contents import Contents
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.recorder import Recorder
from warnd.ledger.claims import Claimed

log = structlog.get_logger(__name__)


class Sending:
    """Sends claims of one lane.

    Args:
        others: How many senders beside this one could take a try now.
        cost: Called with a sender and what its tries cost beyond one segment each.
        over: Called with a sender when one of its tries is recorded.
    """

    def __init__(
        self,
        lane: str,
        channel: Channel,
        *,
        recorder: Recorder,
        contents: Contents,
        lookups: Lookups,
        metrics: Metrics,
        within_s: float,
        others: Callable[[str], int],
        cost: Callable[[str, int], None],
        over: Callable[[str], None],
    ) -> None:
        self._lane = lane
        self._channel = channel
        self._recorder = recorder
        self._contents = contents
        self._lookups = lookups
        self._metrics = metrics
        self._within_s = within_s
        self._others = others
        self._cost = cost
        self._over = over

    async def send(self, claimed: Sequence[Claimed], *, claimed_at: float) -> None:
        """Send one sender's part of a claim; return when every outcome is recorded."""
        open_tries = dict(enumerate(claimed))
        unrecorded = _Countdown(len(claimed))

        def settle(index: int, outcome: Outcome, parts: int = 1, *, asked: bool = True) -> None:
            one = open_tries.pop(index, None)
            if one is not None:
                self._record(one, outcome, unrecorded, parts=parts, asked=asked)

        batch = await self._prepared(
            claimed, lambda index, failed: settle(index, failed, asked=False), claimed_at=claimed_at
        )
        try:
            async with asyncio.timeout(self._within_s):
                await self._through_channel(batch, settle)
        except TimeoutError:
            log.warning("send_took_too_long", lane=self._lane, open=len(open_tries))
        except Exception as error:  # The edge to other people's code: whatever breaks there, no try is lost.
            log.exception("channel_broke", lane=self._lane, error=str(error))
        for index in list(open_tries):
            settle(index, Unknown("the channel gave no outcome"))
        await unrecorded.over

    async def _prepared(
        self, claimed: Sequence[Claimed], settle: Callable[[int, Failed], None], *, claimed_at: float
    ) -> list[tuple[int, Outgoing]]:
        """Render; what cannot or must not be said now is settled at once."""
        batch: list[tuple[int, Outgoing]] = []
        for index, one in enumerate(claimed):
            try:
                made = await self._contents.outgoing(one, claimed_at=claimed_at)
            except (ValueError, LookupError, SQLAlchemyError) as error:
                log.exception("text_failed", lane=self._lane, leg=one.leg_no, error=str(error))
                made = Failed(f"its text could not be made: {error}")
            if isinstance(made, Failed):
                settle(index, made)
            else:
                batch.append((index, made))
        beyond = sum(each.segments for _, outgoing in batch for each in outgoing.texts) - len(claimed)
        if beyond:
            self._cost(claimed[0].sender, beyond)
        return batch

    async def _through_channel(
        self, batch: list[tuple[int, Outgoing]], settle: Callable[[int, Outcome, int], None]
    ) -> None:
        outcomes = self._channel.send([outgoing for _, outgoing in batch])
        async with aclosing(outcomes) as arriving:  # type: ignore[type-var]  # Every async generator has aclose; the protocol asks for less.
            async for place, outcome in arriving:
                index, outgoing = batch[place]
                settle(index, outcome, sum(each.segments for each in outgoing.texts))

    def _record(self, one: Claimed, outcome: Outcome, unrecorded: "_Countdown", *, parts: int, asked: bool) -> None:
        """Hand one outcome in; nobody waits for it by itself, for a task each would cost more than the rest of its way."""
        self._metrics.attempt(self._lane, outcome, sender=one.sender)

        def recorded() -> None:
            self._over(one.sender)
            if isinstance(outcome, Unknown):
                self._lookups.doubt(one.channel, one.leg_no, one.number, sender=one.sender)
            unrecorded.one()

        self._recorder.hand_in(
            self._recorder.tried(
                leg_no=one.leg_no,
                number=one.number,
                token=one.token,
                outcome=outcome,
                parts=max(1, parts),
                others=self._others(one.sender) if asked else None,
            ),
            recorded,
        )


class _Countdown:
    """How many of some things are still to come; `over` is done when none is."""

    def __init__(self, left: int) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = left
        if not left:
            self.over.set_result(None)

    def one(self) -> None:
        self._left -= 1
        if not self._left and not self.over.done():
            self.over.set_result(None)
