"""Sends to chat services. Accepted is the most that they ever say; who answers, answers by the link in the text.

The library blocks, so each message has a thread of a pool as large as `concurrency`. A service that hangs holds its thread only as long as
its own bounds let it; a message for which no thread comes free in time is not started.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import requests
import structlog
from starlette.routing import BaseRoute
from urllib3.exceptions import NewConnectionError

from channels.apprise.codes import verdict
from channels.apprise.overhear import Heard, listening
from channels.crowd import Crowd
from channels.posting import outcome
from channels.retry_after import retry_after_s
from warnd.channel import NOT_STARTED, Accepted, Failed, Finding, Outcome, Outgoing, ReceiptSink, Text, Unknown
from warnd.chats import BadChatAddress, known, open_chat
from warnd.clock import Clock
from warnd.model.evidence import Evidence
from warnd.settings.sections.apprise import Apprise

_ASKING = {"zh": "确认收到：", "en": "Confirm that you have read this: "}
# "@all" calls a whole group by its name and "<at …>" or "<!channel>" do so in services' own markup: a warning's words never command.
_CALLS = re.compile(r"@(?=everyone|here|channel|all)|(?<![A-Za-z0-9])@(?=\w)", re.IGNORECASE)
_MARKUP = re.compile(r"<(?=[A-Za-z/!@#])")
_WORD_JOINER = "\u2060"
_WAITS = 2  # For connecting and for the answer.

log = structlog.get_logger(__name__)


class AppriseChannel:
    """One message to one chat."""

    name = "apprise"
    strongest = Evidence.ACCEPTED

    def __init__(self, settings: Apprise, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._crowd = Crowd(clock, places=settings.concurrency)
        self._threads: ThreadPoolExecutor | None = None
        self._stuck: set[Future[Outcome]] = (
            set()
        )  # Threads whose service answers drop by drop, which no bound of requests ends.

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send each message; drills go to the same chats, their marks first."""
        async for result in self._crowd.each(batch, self._one):
            yield result

    async def run(self, sink: ReceiptSink) -> None:
        """Keep threads until cancelled: chat services bring no receipts."""
        del sink
        self._threads = ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix="apprise")
        try:
            async with self._crowd.open():
                await asyncio.Event().wait()
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing: who answers uses the link."""
        return ()

    def problem(self) -> str | None:
        """Return None while there are threads: each service has its own troubles, and one that is down must not hold up the others."""
        if not self._crowd.is_open:
            return "Chat services are not running yet."
        if len(self._stuck) >= self._settings.concurrency:
            return "Every thread for chat services waits for one that never ends its answer. Raise apprise.concurrency, or restart."
        return None

    async def probe(self) -> Sequence[Finding]:
        """Say whether the library knows the services; none is called, because they can only be asked to show a message."""
        return await asyncio.to_thread(self._findings)

    def _findings(self) -> list[Finding]:
        unknown = [service for service in self._settings.services if not known(service)]
        if unknown:
            wrong = f"the library knows no {', '.join(unknown)}. Take that out of apprise.services, or correct it."
            return [Finding("apprise", wrong=wrong)]
        services = ", ".join(self._settings.services)
        return [Finding("apprise", told=f"the library is there; allowed are {services}; no service was called")]

    async def _one(self, outgoing: Outgoing) -> Outcome:
        if self._threads is None:
            return NOT_STARTED
        work = self._threads.submit(self._say, outgoing)
        result = asyncio.wrap_future(work)
        whole_s = float(_WAITS * self._settings.timeout_s)
        await asyncio.wait({result}, timeout=min(whole_s, max(0.0, outgoing.start_by - self._clock.monotonic())))
        if work.cancel():  # Which succeeds only while it waits for a thread.
            return NOT_STARTED
        await asyncio.wait({result}, timeout=whole_s)
        if work.done():
            return await result
        self._stuck.add(work)
        work.add_done_callback(self._stuck.discard)
        return Unknown("no answer in time")

    def _say(self, outgoing: Outgoing) -> Outcome:
        """Send one message; in a thread."""
        if self._clock.monotonic() > outgoing.start_by:
            return NOT_STARTED
        try:
            chat = open_chat(outgoing.address, self._settings.services)
        except BadChatAddress as error:
            return Failed(f"its address {error.cause}", retry="permanent")
        service = outgoing.address.partition("://")[0].lower()
        (text,) = outgoing.texts
        with listening(chat, timeout_s=float(self._settings.timeout_s)) as heard:
            try:
                body, title = _body(text, outgoing.answer_url), _harmless(text.subject)
                said = bool(chat.notify(body=body, title=title, body_format="text"))
            except Exception as error:  # noqa: BLE001 - the edge to a hundred services' code; what it says may hold the address
                return Unknown(f"{service} broke: {type(error).__name__}")
        return _understood(service, heard, said=said, now=self._clock.now())


def _body(text: Text, answer_url: str | None) -> str:
    words = _harmless(text.text)
    return words if answer_url is None else f"{words}\n{_ASKING.get(text.lang, _ASKING['en'])}{answer_url}"


def _harmless(words: str) -> str:
    """Return words that look the same to a reader and mean nothing to a service."""
    return _MARKUP.sub("＜", _CALLS.sub(f"@{_WORD_JOINER}", words))


def _understood(service: str, heard: Heard, *, said: bool, now: datetime) -> Outcome:
    """Return what became of a message by what the service answered; only where nothing was overheard, by what the library says."""
    if heard.broke is not None:
        return _broken(service, heard.broke)
    for status, body, headers in heard.answers:
        found = verdict(service, status, body)
        if found.meaning is None:
            log.warning("chat_answer_unknown", service=service, status=status, reason=found.reason)
        if found.meaning != "accepted":
            wait_s = retry_after_s(headers.get("Retry-After"), now=now)
            return outcome(found.meaning or "transient", found.reason, retry_after_s=wait_s)
    return Accepted() if said else Failed(f"{service} did not take it")


def _broken(service: str, error: Exception) -> Outcome:
    """Tell a request that never left from one that may have arrived; a failure's own words may hold the address."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.InvalidURL):
        return Failed(f"no connection to {service}: {type(error).__name__}")
    if isinstance(cause, NewConnectionError):
        return Failed(f"no connection to {service}: {type(cause).__name__}")
    return Unknown(f"{service}: {type(error).__name__}")
