"""Brings what lies in `in/` to the ledger: many at once, so that they are committed together; a file goes only after its commit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import structlog

from channels.sms.spool.inbox import Found, Inbox, Letter
from channels.sms.spool.threads import Threads
from warnd.channel import ReceiptSink
from warnd.clock import Clock

_POLL_S = 0.25
_QUIET_POLL_S = 1.0  # When nothing has come for a while.
_QUIET_AFTER_S = 60.0
_BATCH = 500
_BACKOFF_BASE_S = 1.0
_BACKOFF_CAP_S = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Retry:
    failures: int
    not_before: float  # On the clock's monotonic scale.


class Collector:
    """Polls the inbox until cancelled.

    Attributes:
        trouble: Why nothing is read right now, or None.
    """

    def __init__(self, inbox: Inbox, *, threads: Threads, clock: Clock, random: Random) -> None:
        self.trouble: str | None = None
        self._inbox = inbox
        self._threads = threads
        self._clock = clock
        self._random = random
        self._retries: dict[Found, _Retry] = {}
        self._left: list[str] = []  # Of this batch: what stays and why.
        self._came_at = clock.monotonic()
        self._committed: set[Found] = set()  # In the ledger, but not to be removed yet.

    async def run(self, sink: ReceiptSink) -> None:
        """Collect for ever; a folder that cannot be read is asked again, ever more slowly."""
        failures = 0
        while True:
            try:
                full = await self.once(sink)
            except (OSError, TimeoutError) as error:
                failures += 1
                self.trouble = str(error) or "the disk does not answer"
                _log.warning("spool_unreadable", cause=self.trouble, failures=failures)
                await self._clock.sleep(_POLL_S + self._backoff_s(failures))
            else:
                failures, self.trouble = 0, None
                await self._clock.sleep(0 if full else self._pause_s())

    async def once(self, sink: ReceiptSink) -> bool:
        """Collect one batch; return whether there may be more at once.

        Raises:
            OSError: The folder cannot be read.
            TimeoutError: The disk does not answer.
        """
        now = self._clock.monotonic()
        waiting = {found for found, retry in self._retries.items() if retry.not_before > now}
        files = await self._threads.run(self._inbox.find, most=_BATCH, but=waiting)
        self._forget(waiting.union(files))
        if not files:
            return False
        self._came_at = now
        letters = await self._threads.run(self._inbox.read, [one for one in files if one not in self._committed])
        async with asyncio.TaskGroup() as settling:
            for letter in letters:
                settling.create_task(self._settle(letter, sink), name=f"sms receipt {letter.found.inode}")
        await self._remove([one for one in files if one in self._committed])
        if self._left:  # One line for all: a ledger that is down would make one for each file, again and again.
            _log.warning("spool_files_left", count=len(self._left), first=self._left[0])
            self._left.clear()
        return len(files) == _BATCH

    async def _settle(self, letter: Letter, sink: ReceiptSink) -> None:
        try:
            if letter.receipt is not None:
                await sink(letter.receipt)
                self._committed.add(letter.found)
            elif letter.unreadable:
                self._retry(letter.found, letter.fault)
            else:
                await self._threads.run(self._inbox.put_aside, letter)
                _log.warning("spool_file_put_aside", file=ascii(letter.found.name), reason=letter.fault)
        except Exception as error:  # noqa: BLE001 - the edge: whatever keeps a receipt from the ledger, its file stays and is tried again
            self._retry(letter.found, repr(error))

    async def _remove(self, files: Sequence[Found]) -> None:
        stuck = await self._threads.run(self._inbox.remove, files)
        self._committed.difference_update(one for one in files if one not in stuck)
        for found, cause in stuck.items():
            self._retry(found, cause)

    def _retry(self, found: Found, cause: str | None) -> None:
        failures = self._retries[found].failures + 1 if found in self._retries else 1
        not_before = self._clock.monotonic() + _POLL_S + self._backoff_s(failures)
        self._retries[found] = _Retry(failures, not_before)
        self._left.append(f"{found.name!a}: {cause}")

    def _backoff_s(self, failures: int) -> float:
        return self._random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2 ** min(failures, 16)))

    def _pause_s(self) -> float:
        quiet = self._clock.monotonic() - self._came_at > _QUIET_AFTER_S
        return _QUIET_POLL_S if quiet else _POLL_S

    def _forget(self, present: set[Found]) -> None:
        """Drop what is remembered of files that are no longer there."""
        self._retries = {found: retry for found, retry in self._retries.items() if found in present}
        self._committed &= present
