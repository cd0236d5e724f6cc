"""The gateway itself: texts out by Twilio's library, and what Twilio thinks of the account."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from starlette.routing import BaseRoute

from channels.places import Places
from channels.sms.crew import Crew, Job, Tell
from channels.sms.gateway import NAME
from channels.sms.numbers import is_number
from channels.sms.twilio import codes
from channels.sms.twilio.account import Account
from channels.sms.twilio.callbacks import STATUS_PATH, Callbacks, Posted
from channels.sms.twilio.form import Seal
from channels.sms.twilio.link import (
    DoubtfulError,
    Link,
    LinkError,
    NotTakenError,
    RefusedError,
    heeded,
    utc,
    within,
)
from channels.sms.twilio.lookup import Lookup
from channels.sms.twilio.recall import Recall, Sent
from warnd.channel import NOT_STARTED, Accepted, Context, Failed, Finding, Outcome, Outgoing, ReceiptSink, Unknown
from warnd.model.evidence import Evidence

_VALID_S = (1, 36_000)  # The range of ValidityPeriod in the published description of the API.
_TEXT_MAX = 1600  # Characters; the same for Body.
_REPLY_S = 5.0  # Twilio waits fifteen seconds for our answer to its post.


@dataclass(frozen=True, slots=True)
class TwilioOptions:
    """What the settings say.

    Attributes:
        sender: A number, short code or name, or the SID of a Messaging Service.
        public_url: Where Twilio calls back, without a slash at its end.
        timeout_s: For one call.
        connections: Calls under way at once.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    base_url: str
    public_url: str
    timeout_s: float
    connections: int


class Twilio:
    """See `channels.sms.gateway.Gateway`."""

    name = NAME
    strongest = Evidence.ACKNOWLEDGED

    def __init__(self, options: TwilioOptions, context: Context) -> None:
        self._options = options
        self._clock = context.clock
        self._link = Link(
            account_sid=options.account_sid,
            auth_token=options.auth_token,
            base_url=options.base_url,
            timeout_s=options.timeout_s,
            connections=options.connections,
            clock=context.clock,
        )
        seal = Seal(account_sid=options.account_sid, auth_token=options.auth_token, public_url=options.public_url)
        self._recall = Recall()
        self._lookup = Lookup(self._link, self._recall, clock=context.clock, timeout_s=options.timeout_s)
        self._callbacks = Callbacks(seal, self._recall, fetch=self._posted, clock=context.clock)
        self._account = Account(self._link, public_url=options.public_url, clock=context.clock)
        self._crew = Crew()
        self._places = Places(context.clock, most=options.connections)
        by_service = options.sender.startswith("MG")
        self._sender = {"messaging_service_sid" if by_service else "from_": options.sender}

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Post each text in a call of its own; see `warnd.channel.Channel`."""
        jobs = [Job((index,), partial(self._settle, index, outgoing)) for index, outgoing in enumerate(batch)]
        async for settled in self._crew.outcomes(jobs):
            yield settled

    async def find(self, attempt: str) -> Outcome:
        """Ask Twilio about an attempt; see `warnd.channel.Finder`."""
        async with self._link.open():
            return await self._lookup.find(attempt)

    async def probe(self) -> Sequence[Finding]:
        """Fetch the account; see `warnd.channel.Prober`."""
        async with self._link.open():
            return await self._account.findings()

    async def run(self, sink: ReceiptSink) -> None:
        """Hold the connections, ask after silent tries, watch the account, until cancelled."""
        async with self._link.open(), self._crew.at_work() as tasks:
            tasks.create_task(self._callbacks.run(sink), name="sms twilio callbacks")
            tasks.create_task(self._lookup.run(sink), name="sms twilio look-ups")
            await self._account.watch()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the two callback endpoints of DESIGN §10."""
        return self._callbacks.routes()

    def problem(self) -> str | None:
        """Return why no text can leave; see `warnd.channel.Channel`."""
        return self._account.problem()

    async def _settle(self, index: int, outgoing: Outgoing, tell: Tell) -> None:
        tell(index, await self._try(outgoing))

    async def _try(self, outgoing: Outgoing) -> Outcome:
        if (never := self._never(outgoing)) is not None:
            return never
        if not await self._places.take(outgoing):
            return NOT_STARTED
        try:
            if self._clock.monotonic() > outgoing.start_by:
                return NOT_STARTED
            left_s = int((outgoing.message.expires_at - self._clock.now()).total_seconds())
            if left_s < _VALID_S[0]:
                return Failed("its life is over", retry="permanent")
            text = outgoing.texts[0]
            sent = self._recall.begin(
                outgoing.attempt,
                to=outgoing.address,
                body=text.text,
                segments=text.segments,
                at=self._link.now(),
            )
            return await self._post(outgoing, sent, valid_s=min(left_s, _VALID_S[1]))
        finally:
            self._places.free()

    def _never(self, outgoing: Outgoing) -> Failed | None:
        """Return why this text can never reach this address, or None."""
        reason = None
        if not is_number(outgoing.address):
            reason = "no phone number"
        elif len(outgoing.texts[0].text) > _TEXT_MAX:
            reason = codes.word(21617)
        return None if reason is None else Failed(reason, retry="permanent")

    async def _post(self, outgoing: Outgoing, sent: Sent, *, valid_s: int) -> Outcome:
        call = self._link.account.messages.create_async(
            to=outgoing.address,
            body=outgoing.texts[0].text,
            status_callback=f"{self._options.public_url}{STATUS_PATH}?attempt={quote(outgoing.attempt, safe='')}",
            validity_period=valid_s,
            **self._sender,
        )
        try:
            async with heeded():  # The link's own time-out is the bound.
                message = await call
                if not message.sid:
                    raise DoubtfulError("the answer is no message")
        except LinkError as error:
            return self._refused(error, sent)
        except asyncio.CancelledError:
            self._lookup.doubted(sent)
            raise
        return self._accepted(sent, str(message.sid), message.num_segments)

    def _accepted(self, sent: Sent, sid: str, segments: object) -> Accepted:
        self._recall.name(sent, sid)
        if sent.fate == "open":  # Else a callback was faster.
            sent.fate = "accepted"
        self._lookup.accepted(sent)
        counted = int(str(segments)) if str(segments).isascii() and str(segments).isdigit() else 0
        return Accepted(sid, segments=counted or None)

    def _refused(self, error: LinkError, sent: Sent) -> Outcome:
        if sent.sid is not None:  # Its callback came while the answer was lost.
            return Accepted(sent.sid)
        outcome: Outcome
        match error:
            case RefusedError(status=status, code=code, retry_after_s=retry_after_s):
                outcome = codes.outcome(code, status=status, retry_after_s=retry_after_s)
                self._account.answered(code, status=status)
            case NotTakenError():
                outcome = Failed(str(error))
                self._account.unreachable()
            case _:
                outcome = Unknown(str(error))
        if isinstance(outcome, Unknown):
            self._lookup.doubted(sent)
        else:
            sent.fate = "over"
        return outcome

    async def _posted(self, sid: str) -> Posted | None:
        """See `channels.sms.twilio.callbacks.Fetch`."""
        try:
            async with self._link.open():
                message = await within(_REPLY_S, self._link.account.messages(sid).fetch_async())
        except LinkError:
            return None
        if message.date_created is None:
            return None
        at = utc(message.date_created)
        return Posted(str(message.from_ or ""), str(message.body or ""), at, age=self._link.now() - at)
