"""What others leave to this daemon: commands that a broker forgot, and what providers keep for workers that are gone."""

import asyncio
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Channel, Heir
from warnd.clock import Clock
from warnd.daemon.worker import Worker
from warnd.ledger import publications
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.ledger.workers import Gone

_RETRY_S = 1.0
_NEWCOMER_S = 60.0

log = structlog.get_logger(__name__)


class Bequests:
    """Takes on what is told by `forgotten` and `bury`, which return at once, in `remember` and `inherit`."""

    def __init__(self, ledger: Ledger, clock: Clock, *, bell: Bell, worker: Worker | None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bell = bell
        self._worker = worker
        self._began_at = clock.monotonic()
        self._gone: asyncio.Queue[Gone] = asyncio.Queue()
        self._forgotten: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()

    def forgotten(self, channel: str, drill: bool) -> None:  # noqa: FBT001 - called by position, as `Context.forgotten` says
        """Take note of a broker that came back without its memory."""
        self._forgotten.put_nowait((channel, drill))

    def bury(self, gone: Gone) -> None:
        """Take note of a worker whose tries were taken over."""
        self._gone.put_nowait(gone)

    async def remember(self) -> None:
        """Publish again what a broker lost when it came back without its memory, until cancelled."""
        while True:
            channel, drill = await self._forgotten.get()
            try:
                if await self._is_newcomer():
                    continue
                reopened = await self._ledger.write(
                    publications.reopen, channel=channel, drill=drill, now_ms=to_ms(self._clock.now())
                )
            except SQLAlchemyError as error:
                log.error("not_reopened", channel=channel, drill=drill, error=str(error))
                self._forgotten.put_nowait((channel, drill))
                await self._clock.sleep(_RETRY_S)
                continue
            if reopened:
                log.warning("publications_reopened", channel=channel, drill=drill, count=reopened)
                self._bell.ring()

    async def inherit(self, channels: Mapping[str, Channel]) -> None:
        """Take what providers keep for workers that are gone, unless one came back under the name, until cancelled."""
        while True:
            gone = await self._gone.get()
            for heir in [each for each in channels.values() if isinstance(each, Heir) and not gone.back]:
                await heir.take_over(gone.name)

    async def _is_newcomer(self) -> bool:
        """Say whether a broker does not know this worker only because it is new; then it has lost nothing, or others notice, too.

        Published again for every worker that is added, each command would make every loudspeaker report again.
        """
        just_begun = self._clock.monotonic() - self._began_at < _NEWCOMER_S
        return self._worker is not None and just_begun and not await self._worker.eldest()
