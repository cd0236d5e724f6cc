"""Announces messages to the public site. Accepted is the most it can ever prove: nobody knows who read a page."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.routing import BaseRoute

from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome, Outgoing, ReceiptSink
from warnd.clock import Clock
from warnd.model.evidence import Evidence

ADDRESS = "site"


class SitePage:
    """One publication per message: the page itself reads the ledger, so that there is nothing to hand over but the hint."""

    name = "web"
    strongest = Evidence.ACCEPTED

    def __init__(self, *, clock: Clock, announce: Callable[[str], None]) -> None:
        self._clock = clock
        self._announce = announce

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Announce each message; drills are refused for good, because no public page may ever show one."""
        for index, outgoing in enumerate(batch):
            yield index, self._send_one(outgoing)

    def _send_one(self, outgoing: Outgoing) -> Outcome:
        if outgoing.message.drill:
            return Failed("drills are not shown", retry="permanent")
        if outgoing.address != ADDRESS:
            return Failed(f"no such place {outgoing.address!r}; the site's address is {ADDRESS}", retry="permanent")
        if self._clock.monotonic() > outgoing.start_by:
            return NOT_STARTED
        self._announce(outgoing.message.id)
        return Accepted(f"/w/{outgoing.message.id}")

    async def run(self, sink: ReceiptSink) -> None:
        """Wait to be cancelled: a page sends no receipts."""
        del sink
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing: the site's own pages are mounted by `warnd.web`."""
        return ()

    def problem(self) -> str | None:
        """Return None: the site is this process itself."""
        return None

    def targets(self) -> Sequence[str]:
        """Return the site, which every public message goes to."""
        return (ADDRESS,)
