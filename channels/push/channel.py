"""Hands notifications to push services. Accepted is the most it can prove: no service says whether a browser ever showed one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import structlog
from starlette.routing import BaseRoute

from channels.crowd import Crowd
from channels.posting import Answer, Poster, outcome
from channels.push.parcel import encrypted, headers, plain
from channels.push.signer import Signer
from channels.push.statuses import meaning
from warnd.channel import Failed, Finding, Outcome, Outgoing, ReceiptSink
from warnd.clock import Clock
from warnd.model.evidence import Evidence
from warnd.model.push import BadSubscription, Subscription, application_server_key, endpoint_allowed, load_vapid_key
from warnd.settings.sections.push import Push

_PAUSED_MAX = 1_000  # Hosts; strangers choose them.

log = structlog.get_logger(__name__)


class PushChannel:
    """One publication per message and browser. A browser that is gone is dropped by the ledger."""

    name = "push"
    strongest = Evidence.ACCEPTED

    def __init__(self, settings: Push, *, clock: Clock) -> None:
        """Read the key.

        Raises:
            KeyFileError: It cannot be used.
        """
        key = load_vapid_key(settings.vapid_key_file)
        self.key = application_server_key(key)
        self._settings = settings
        self._clock = clock
        self._signer = Signer(key, contact=settings.contact, clock=clock)
        self._poster = Poster(clock, timeout_s=float(settings.timeout_s), reuse=True)
        self._crowd = Crowd(clock, places=settings.concurrency)
        self._paused: dict[str, float] = {}

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Notify each browser; drills are refused for good, because strangers read these."""
        async for result in self._crowd.each(batch, self._one):
            yield result

    async def run(self, sink: ReceiptSink) -> None:
        """Keep what posting needs until cancelled: push services bring no receipts."""
        del sink
        async with self._poster.open(), self._crowd.open():
            await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing: subscribing is a matter of the public site."""
        return ()

    def problem(self) -> str | None:
        """Return None while it runs: each service has its own troubles, and one that is down must not hold up the others."""
        return None if self._crowd.is_open else "Web Push is not running yet."

    async def probe(self) -> Sequence[Finding]:
        """Say what can be known without a browser: the key was read when this was built. Push services answer nobody else."""
        told = f"the key is sound ({self.key[:12]}…); no service was asked, for they answer only for a browser"
        return [Finding(f"push, for {', '.join(self._settings.services)}", told=told)]

    async def _one(self, outgoing: Outgoing) -> Outcome:
        if outgoing.message.drill:
            return Failed("drills are not pushed", retry="permanent")
        try:
            subscription = Subscription.parse(outgoing.address)
        except BadSubscription as error:
            return Failed(str(error), retry="permanent")
        if not endpoint_allowed(subscription.endpoint, self._settings.services):
            return Failed("its push service is not among push.services", retry="permanent")
        parts = urlsplit(subscription.endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        if (left_s := self._paused.get(origin, 0.0) - self._clock.monotonic()) > 0:
            return Failed("its push service asked to wait", retry_after_s=left_s)
        return await self._notified(outgoing, subscription, origin)

    async def _notified(self, outgoing: Outgoing, subscription: Subscription, origin: str) -> Outcome:
        body = encrypted(subscription, plain(outgoing))
        authorization = self._signer.authorization(origin)
        head = headers(outgoing.message, now=self._clock.now(), authorization=authorization)
        answer = await self._poster.post(subscription.endpoint, body=body, headers=head)
        return self._understood(answer, origin) if isinstance(answer, Answer) else answer

    def _understood(self, answer: Answer, origin: str) -> Outcome:
        known = meaning(answer.status)
        if known is None:
            log.warning("push_status_unknown", service=origin, status=answer.status, says=answer.says)
        if known == "throttled" and answer.retry_after_s is not None:
            if len(self._paused) >= _PAUSED_MAX:
                self._paused.clear()
            self._paused[origin] = self._clock.monotonic() + answer.retry_after_s
        # The address of an accepted notification is not kept: whoever knows it can delete it.
        return outcome(known or "transient", answer.reason, retry_after_s=answer.retry_after_s)
