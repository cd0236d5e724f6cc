"""Brings what came back by mail to the ledger: looks again and again, and lets a mail go only after the commit."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TypeVar

import structlog

from channels.email import bounce
from channels.email.bags import LOOK_MAX, Bag, BagError, Fate, bag
from channels.email.options import EmailOptions
from channels.email.verp import Tokens
from warnd.channel import ReceiptSink
from warnd.clock import Clock

_CHUNK = 20  # Mails fetched at once.
_MAILDIR_POLL_S = 0.25
_QUIET_POLL_S = 1.0  # When nothing has come for a while.
_QUIET_AFTER_S = 60.0
_BACKOFF_CAP_S = 300.0
_STEPS_OF_A_LOOK = 8  # Of opening: connect, greeting, TLS, capability, login, select, search.

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Collector:
    """Looks until cancelled.

    Attributes:
        trouble: Why nothing is read right now, or None.
    """

    def __init__(self, options: EmailOptions, tokens: Tokens, *, clock: Clock, random: Random) -> None:
        self.trouble: str | None = None
        self._options = options
        self._tokens = tokens
        self._clock = clock
        self._random = random
        own = {options.sender, options.bounce_address or options.sender}
        self._own = frozenset(each.lower() for each in own)
        self._came_at = clock.monotonic()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="email bounces")

    async def run(self, sink: ReceiptSink) -> None:
        """Look for ever; a mailbox that cannot be read is asked again, ever more slowly."""
        if not self._options.reads_bounces:
            return
        failures = 0
        while True:
            try:
                more = await self.once(sink)
            except BagError as error:
                failures += 1
                if self.trouble != str(error):
                    _log.warning("email_bounces_unread", cause=str(error))
                self.trouble = str(error)
                await self._clock.sleep(self._pause_s() + self._backoff_s(failures))
            else:
                failures, self.trouble = 0, None
                await self._clock.sleep(0 if more else self._pause_s())

    async def once(self, sink: ReceiptSink) -> bool:
        """Look once; return whether there may be more at once.

        Raises:
            BagError: The mails cannot be read.
        """
        found = bag(self._options.imap, self._options.maildir)
        assert found is not None, "looked for only where there is one"
        try:
            names = await self._in_thread(found.open)
            left = 0
            if names:
                self._came_at = self._clock.monotonic()
            for start in range(0, len(names), _CHUNK):
                left += await self._some(found, names[start : start + _CHUNK], sink)
            await self._in_thread(found.close)
        except BaseException:
            found.abort()  # A thread that still waits for the server is let go, and then leaves by itself.
            self._threads.submit(found.close)
            raise
        return len(names) == LOOK_MAX and not left

    async def _some(self, found: Bag, names: list[str], sink: ReceiptSink) -> int:
        """Settle some mails; return how many had to stay because the ledger could not take them."""
        mails = await self._in_thread(lambda: self._read(found.fetch(names)))
        fates: dict[str, Fate] = {}
        async with asyncio.TaskGroup() as settling:  # Together, so that they are committed together.
            for name, mail in mails.items():
                settling.create_task(self._commit(name, mail, sink, fates), name=f"email receipt {name}")
        if fates:
            await self._in_thread(lambda: found.settle(fates))
        return len(mails) - len(fates)

    def _read(self, mails: Mapping[str, bytes]) -> dict[str, bounce.Mail]:
        """Read mails; in the thread, because anybody can write one that takes long."""
        return {name: bounce.read(raw, self._tokens, own=self._own) for name, raw in mails.items()}

    async def _commit(self, name: str, mail: bounce.Mail, sink: ReceiptSink, fates: dict[str, Fate]) -> None:
        try:
            for receipt in mail.receipts:
                await sink(receipt)
        except Exception as error:  # noqa: BLE001 - the edge: whatever keeps a receipt from the ledger, its mail stays and is read again
            _log.warning("email_receipt_left", error=repr(error))
            return
        fates[name] = "remove" if mail.kind in {"report", "noise"} else "keep"
        if mail.kind == "rubbish":
            _log.info("email_kept", why="no report of ours, and nobody's answer")

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        bound_s = _STEPS_OF_A_LOOK * (self._options.imap.timeout_s if self._options.imap else 10.0)
        try:
            async with asyncio.timeout(bound_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except BagError:
            raise
        except TimeoutError as error:
            raise BagError(
                f"the bounces could not be read within {bound_s:g} s; see to the mailbox's server"
            ) from error
        except Exception as error:  # The edge: a library that breaks on what a server says must not end the channel.
            raise BagError(f"the mailbox's server says what nobody understands ({error!r}); see its own log") from error

    def _pause_s(self) -> float:
        if self._options.imap:
            return self._options.imap.poll_s
        quiet = self._clock.monotonic() - self._came_at > _QUIET_AFTER_S
        return _QUIET_POLL_S if quiet else _MAILDIR_POLL_S

    def _backoff_s(self, failures: int) -> float:
        return self._random.uniform(0, min(_BACKOFF_CAP_S, 2.0 ** min(failures, 16)))
