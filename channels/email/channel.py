"""The channel itself: a mail for each try, and receipts from what comes back (see `warnd.channel`)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from starlette.routing import BaseRoute

from channels.email.address import Mailbox, mailbox
from channels.email.collect import Collector
from channels.email.letter import Draft, date_of, draft
from channels.email.options import EmailOptions
from channels.email.pool import Job, Packed, Pool
from channels.email.probe import probe
from channels.email.session import Envelope, Session
from channels.email.verp import Tokens, verp
from warnd.channel import Accepted, Context, Failed, Finding, Outcome, Outgoing, ReceiptSink
from warnd.model.evidence import Evidence

_DRAFTS_KEPT = 64  # Texts: of some messages, in their languages, to each purpose.

_Key = tuple[str, str, str, str, bool]


class Email:
    """See `warnd.channel.Channel`; also a `Prober`."""

    name = "email"
    strongest = Evidence.ACKNOWLEDGED  # By the answer link in it.

    def __init__(self, options: EmailOptions, context: Context) -> None:
        self._options = options
        self._clock = context.clock
        self._tokens = Tokens(options.bounce_secret)
        self._pool = Pool(options.server, context.clock, random=context.random)
        self._collector = Collector(options, self._tokens, clock=context.clock, random=context.random)
        self._drafts: dict[_Key, Draft] = {}
        self._date = (0, b"")

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send a mail to each; see `warnd.channel.Channel`."""
        arrived: asyncio.Queue[tuple[int, Outcome]] = asyncio.Queue()
        jobs = []
        for index, outgoing in enumerate(batch):
            reference = self._message_id(outgoing)
            job = Job(
                pack=partial(self._packed, outgoing),
                settle=partial(_settle, arrived, index, reference),
                start_by=outgoing.start_by,
            )
            jobs.append(job)
            self._pool.submit(job)
        try:
            for _ in jobs:
                yield await arrived.get()
        finally:
            for job in jobs:
                job.settle = None  # Nobody waits: what has not begun need not.

    async def run(self, sink: ReceiptSink) -> None:
        """Hold the connections and bring what comes back to `sink` until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pool.run(), name="email pool")
            tasks.create_task(self._collector.run(sink), name="email bounces")

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: nobody calls back."""
        return ()

    def problem(self) -> str | None:
        """Return why no mail can leave; a mailbox that cannot be read keeps none from leaving, and is told by `degraded`."""
        return self._pool.trouble

    def degraded(self) -> str | None:
        """Return why what comes back is not read."""
        trouble = self._collector.trouble
        return (
            trouble
            and f"Mail goes out, but bounces are not read: {trouble}. Nothing is lost; they wait in the mailbox."
        )

    async def probe(self) -> Sequence[Finding]:
        """Log in at the mail server and at the mailbox, and leave again."""
        return await probe(self._options)

    def _packed(self, outgoing: Outgoing, session: Session) -> Packed:
        to = mailbox(outgoing.address)
        if isinstance(to, str):
            return Failed(f"bad address: {to}", retry="permanent")
        if to.international and not session.international:
            return Failed("the mail server carries no address in such letters (SMTPUTF8)", retry="permanent")
        letter = self._draft(outgoing).letter(
            to, message_id=self._message_id(outgoing), date=self._date_now(), answer_url=outgoing.answer_url
        )
        return self._envelope(outgoing, to), letter

    def _envelope(self, outgoing: Outgoing, to: Mailbox) -> Envelope:
        options, token = self._options, self._tokens.token(outgoing.attempt)
        back = options.bounce_address
        return Envelope(
            sender=options.sender if back is None else verp(back, token),
            recipient=to.wire,
            token=token if options.reads_bounces else None,  # Else the notices of arrival would pile up unread.
            orcpt=to.orcpt,
            international=to.international,
        )

    def _draft(self, outgoing: Outgoing) -> Draft:
        text, asks = outgoing.texts[0], outgoing.answer_url is not None
        key = (outgoing.message.id, text.lang, text.text, text.subject, asks)
        found = self._drafts.get(key)
        if found is None:
            while len(self._drafts) >= _DRAFTS_KEPT:
                del self._drafts[next(iter(self._drafts))]
            found = self._drafts[key] = draft(outgoing.message, text, self._options, asks=asks)
        return found

    def _message_id(self, outgoing: Outgoing) -> str:
        return f"<{self._tokens.token(outgoing.attempt)}@{self._options.domain}>"

    def _date_now(self) -> bytes:
        now = self._clock.now()
        second = int(now.timestamp())
        if self._date[0] != second:
            self._date = (second, date_of(now))
        return self._date[1]


def _settle(arrived: asyncio.Queue[tuple[int, Outcome]], index: int, reference: str, outcome: Outcome) -> None:
    arrived.put_nowait((index, Accepted(reference) if isinstance(outcome, Accepted) else outcome))
