"""Announces messages to the public site. Accepted is the most it can ever prove: nobody knows who read a page."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus

import httpx
from starlette.routing import BaseRoute

from warnd.channel import NOT_STARTED, Accepted, Failed, Finding, Outcome, Outgoing, ReceiptSink
from warnd.clock import Clock
from warnd.model.evidence import Evidence

ADDRESS = "site"
_PROBE_S = 5.0
_ALIVE = "/healthz"


class SitePage:
    """One publication per message: the page itself reads the ledger, so that there is nothing to hand over but the hint."""

    name = "web"
    strongest = Evidence.ACCEPTED

    def __init__(
        self, *, clock: Clock, announce: Callable[[str], None], own_url: str = "", public_url: str | None = None
    ) -> None:
        self._clock = clock
        self._announce = announce
        self._own_url = own_url
        self._public_url = public_url

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

    async def probe(self) -> Sequence[Finding]:
        """Look at the site as visitors do, if it is being served; see `warnd.channel.Prober`.

        Before a start nobody answers, and that is as it should be.
        """
        if self._public_url is None:
            return [
                Finding("public site", told="http.public_url is not set: links name the address that is listened on")
            ]
        about = f"public site {self._public_url}"
        if await _trouble(self._own_url):
            return [Finding(about, told="`serve` is not running, so it was not tried")]
        trouble = await _trouble(self._public_url)
        fix = "Correct http.public_url, or what stands between the Internet and this server (proxy, name, certificate)."
        return [
            Finding(about, wrong=f"it does not show this site: {trouble}. {fix}" if trouble else None, told="answers")
        ]

    def targets(self) -> Sequence[str]:
        """Return the site, which every public message goes to."""
        return (ADDRESS,)


async def _trouble(url: str) -> str | None:
    """Return why a warnd does not answer at an address, or None."""
    try:
        async with asyncio.timeout(_PROBE_S), httpx.AsyncClient(trust_env=False) as client:
            answered = await client.get(url.rstrip("/") + _ALIVE)
    except TimeoutError:
        return f"no answer within {_PROBE_S:.0f} s"
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    if answered.status_code != HTTPStatus.OK:
        return f"it answers {answered.status_code}"
    return None if answered.text == "alive\n" else "something else answers there"
