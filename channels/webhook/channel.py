"""Posts every public message to other systems, signed. Accepted is the most it can prove: nobody knows what a system does with it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from standardwebhooks import Webhook as Signer
from starlette.routing import BaseRoute

from channels.crowd import Crowd
from channels.posting import Answer, Poster, outcome
from channels.reach import look
from channels.webhook.body import body
from channels.webhook.statuses import meaning
from warnd.channel import Failed, Finding, Message, Outcome, Outgoing, ReceiptSink
from warnd.clock import Clock
from warnd.model.cap import CapError
from warnd.model.evidence import Evidence
from warnd.settings.sections.webhook import Webhook, WebhookEndpoint

PREFIX = "webhook:"
_BODIES_KEPT = 16


class WebhookChannel:
    """One publication per message and endpoint; retries are the ledger's, and carry the id of the first try."""

    name = "webhook"
    strongest = Evidence.ACCEPTED

    def __init__(self, settings: Webhook, *, clock: Clock, public_url: str | None) -> None:
        self._clock = clock
        self._public_url = public_url
        self._timeout_s = float(settings.timeout_s)
        self._endpoints = {f"{PREFIX}{name}": endpoint for name, endpoint in settings.endpoints.items()}
        self._poster = Poster(clock, timeout_s=self._timeout_s, reuse=False)
        self._crowd = Crowd(clock, places=settings.concurrency)
        self._bodies: dict[str, bytes] = {}

    def targets(self) -> Sequence[str]:
        """Return every endpoint, as it stands in the ledger."""
        return tuple(self._endpoints)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Post each message to its endpoint; drills are refused for good, because their receivers are other people's systems."""
        async for result in self._crowd.each(batch, self._one):
            yield result

    async def run(self, sink: ReceiptSink) -> None:
        """Keep what posting needs until cancelled: no receipts come from webhooks."""
        del sink
        async with self._poster.open(), self._crowd.open():
            await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing: receivers answer at once."""
        return ()

    def problem(self) -> str | None:
        """Return None while it runs: each endpoint has its own troubles, and one that is down must not hold up the others."""
        return None if self._crowd.is_open else "Webhooks are not running yet."

    async def probe(self) -> Sequence[Finding]:
        """Connect to each endpoint, without posting anything."""
        return [await self._probed(address) for address in self._endpoints]

    async def _probed(self, address: str) -> Finding:
        parts = urlsplit(self._endpoints[address].url)
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        trusted = ssl.create_default_context() if tls else None
        wrong = await look(parts.hostname or "", port, tls=trusted, timeout_s=self._timeout_s)
        about = f"webhook {address.removeprefix(PREFIX)} at {parts.hostname}:{port}"
        if wrong is None:
            return Finding(about, told="takes connections; nothing was posted")
        return Finding(about, wrong=f"{wrong}. See to the receiver, or to url in [webhook.endpoints].")

    async def _one(self, outgoing: Outgoing) -> Outcome:
        endpoint = self._endpoints.get(outgoing.address)
        if endpoint is None:
            return Failed("no such endpoint in the settings", retry="permanent")
        if outgoing.message.drill:
            return Failed("drills are not posted", retry="permanent")
        try:
            content = self._body(outgoing.message)
        except CapError as error:
            return Failed(f"its document cannot be read: {error}", retry="permanent")
        message_id = f"{outgoing.message.id}-{outgoing.address.removeprefix(PREFIX)}"
        headers = self._headers(endpoint, message_id, content)
        answered = await self._poster.post(endpoint.url, body=content, headers=headers)
        if not isinstance(answered, Answer):
            return answered
        return outcome(
            meaning(answered.status),
            answered.reason,
            retry_after_s=answered.retry_after_s,
            reference=message_id,
        )

    def _body(self, message: Message) -> bytes:
        if message.id not in self._bodies:
            while len(self._bodies) >= _BODIES_KEPT:
                del self._bodies[next(iter(self._bodies))]
            self._bodies[message.id] = body(message, public_url=self._public_url)
        return self._bodies[message.id]

    def _headers(self, endpoint: WebhookEndpoint, message_id: str, content: bytes) -> dict[str, str]:
        """Sign with both secrets while one follows the other, so that a receiver may change whenever it likes."""
        now = self._clock.now()
        secrets = [each for each in (endpoint.secret, endpoint.next_secret) if each is not None]
        signatures = [Signer(each.get_secret_value()).sign(message_id, now, content.decode()) for each in secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": "warnd",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
