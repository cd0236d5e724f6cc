"""The `spool` provider: a folder that stands for a gateway. Texts lie in `out/` for a bridge to carry; its word comes back in `in/`.

The folder is trusted: whoever may write to it speaks for the gateway. Writing a file proves acceptance, what comes back proves delivery
and answers.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

from starlette.routing import BaseRoute

from channels.sms.spool.collect import Collector
from channels.sms.spool.inbox import Inbox
from channels.sms.spool.outbox import Outbox
from channels.sms.spool.threads import Threads
from warnd.channel import Failed, Finding, Outcome, Outgoing, ReceiptSink, Unknown
from warnd.clock import Clock
from warnd.model.evidence import Evidence

_CHUNK = 50  # Files whose names are made durable together.
_WATCH_S = 1.0
_TIMEOUT_S = 10.0
_HANGS = "the disk of the spool does not answer"


class Spool:
    """See `channels.sms.gateway.Gateway`.

    Args:
        folder: `sms.spool.dir`; it and `out/`, `in/`, `bad/` are created if missing.
        timeout_s: How long the disk may take for one step.
    """

    name = "sms"
    strongest = Evidence.ACKNOWLEDGED

    def __init__(self, folder: Path, *, clock: Clock, random: Random, timeout_s: float = _TIMEOUT_S) -> None:
        self._folder = folder
        self._clock = clock
        # Two pools: reports that take long to read never keep a warning from leaving.
        self._writing = Threads(1, timeout_s=timeout_s)
        self._reading = Threads(2, timeout_s=timeout_s)
        self._outbox = Outbox(folder / "out", monotonic=clock.monotonic)
        self._inbox = Inbox(folder / "in", folder / "bad")
        self._collector = Collector(self._inbox, threads=self._reading, clock=clock, random=random)
        self._opened = False
        self._trouble = self._open()

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Write one file for each; a disk that hangs once is not waited for again in the same batch."""
        hanging = False
        for start in range(0, len(batch), _CHUNK):
            chunk = batch[start : start + _CHUNK]
            outcomes: Sequence[Outcome]
            if hanging:
                outcomes = [Failed(f"not_started: {_HANGS}")] * len(chunk)
            else:
                try:
                    outcomes = await self._writing.run(self._outbox.put, chunk)
                except TimeoutError:
                    hanging, outcomes = True, [Unknown(_HANGS)] * len(chunk)
            for index, outcome in enumerate(outcomes, start=start):
                yield index, outcome

    async def find(self, attempt: str) -> Outcome:
        """Say whether the attempt's file was written; see `warnd.channel.Finder`."""
        try:
            return await self._reading.run(self._outbox.find, attempt)
        except TimeoutError:
            return Unknown(_HANGS)

    async def probe(self) -> Sequence[Finding]:
        """Look whether texts can be written; see `warnd.channel.Prober`."""
        try:
            self._trouble = await self._reading.run(self._look)
        except TimeoutError:
            self._trouble = _HANGS
        return [
            Finding(
                f"spool {self._folder}", wrong=self.problem(), told="" if self.problem() else "texts can be written"
            )
        ]

    async def run(self, sink: ReceiptSink) -> None:
        """Bring reports and replies to `sink`, and keep an eye on the folders, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._collector.run(sink), name="sms spool in")
            tasks.create_task(self._watch(), name="sms spool watch")

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: nobody calls back."""
        return ()

    def problem(self) -> str | None:
        """Return why no text can leave, or why no answer is read; see `warnd.channel.Channel`."""
        if trouble := self._trouble:
            return f"No SMS can leave: {trouble}. Correct the folder, its rights or its disk."
        if self._collector.trouble:
            where = self._folder / "in"
            return f"No SMS report or answer is read from {where}: {self._collector.trouble}. Correct the folder or its rights."
        return None

    async def _watch(self) -> None:
        """Look at `out/` in a thread, because `problem` is asked on the event loop and must not wait for a disk."""
        while True:
            try:
                self._trouble = await self._reading.run(self._look)
            except TimeoutError:
                self._trouble = _HANGS
            await self._clock.sleep(_WATCH_S)

    def _look(self) -> str | None:
        return self._outbox.trouble() if self._opened else self._open()

    def _open(self) -> str | None:
        """Create the folders; only until it once succeeded: a folder that vanishes later is an unmounted disk, not a missing folder."""
        try:
            self._outbox.open()
            self._inbox.open()
        except OSError as error:
            return f"{error.strerror or error}: {error.filename or self._folder}"
        self._opened = True
        return None
