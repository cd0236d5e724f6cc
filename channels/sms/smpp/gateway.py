"""The gateway of `[sms.smpp]`: submits texts part by part, and brings receipts and replies. It never repeats a part.

What becomes of a text of several parts: it is accepted if every part is. If one was refused or never left, the text fails, for no phone
can show it whole, whatever became of the others; if none was refused and one was not answered, nobody knows.
"""

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Sequence
from random import Random

import smpp34
import structlog
from starlette.routing import BaseRoute

from channels.sms.crew import Crew, Job, Tell
from channels.sms.gateway import NAME
from channels.sms.numbers import is_number
from channels.sms.smpp.book import Book, Entry
from channels.sms.smpp.encode import Part, TooLongError, parts_of, validity
from channels.sms.smpp.line import Line
from channels.sms.smpp.notices import DELIVERED, FAILURES, Receipted, Written, kept_id, read
from channels.sms.smpp.pdus import BIND_TRANSMITTER, submit
from channels.sms.smpp.session import Answered, BindError, Fate, Lost, Session, Unwritten, connected
from channels.sms.smpp.statuses import ALREADY_BOUND, OK, fate_of, name_of
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Failed,
    Finding,
    Outcome,
    Outgoing,
    ReceiptSink,
    Reply,
    Report,
    Unknown,
)
from warnd.clock import Clock
from warnd.model.evidence import Evidence
from warnd.settings.sections.sms_smpp import SmsSmpp

_COMMIT_S = 8.0
_EARLY_S = 2.0  # How long a receipt may be ahead of the answer that tells whose it is.
_RAW_MAX = 200
_REFERENCES = 256

_log = structlog.get_logger(__name__)


class SmppGateway:
    """See `channels.sms.gateway.Gateway`."""

    name = NAME
    strongest = Evidence.ACKNOWLEDGED

    def __init__(self, section: SmsSmpp, *, clock: Clock, random: Random) -> None:
        self._section = section
        self._clock = clock
        self._tls = ssl.create_default_context(cafile=section.ca_file) if section.tls else None
        self._line = Line(section, tls=self._tls, clock=clock, random=random)
        self._crew = Crew()
        self._book = Book(section.parts_file)
        self._awaited: dict[str, asyncio.Event] = {}
        self._under_way = 0
        self._reference = random.randrange(_REFERENCES)
        self._paused_until = -math.inf
        self._sink: ReceiptSink | None = None
        self._where = f"{section.host}:{section.port}"

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        """Send a batch, as much at once as the window takes; see `warnd.channel.Channel`."""
        jobs: list[Job] = []
        for index, outgoing in enumerate(batch):
            if is_number(outgoing.address):
                jobs.append(self._job(index, outgoing))
            else:
                yield index, Failed("this is no phone number", retry="permanent")
        async for index, outcome in self._crew.outcomes(jobs):
            yield index, outcome

    async def find(self, attempt: str) -> Outcome:
        """Say that nobody knows: a message centre is asked by its own id, which is what an unknown attempt lacks."""
        return Unknown(f"a message centre cannot be asked about {attempt}; its receipt may still tell")

    async def run(self, sink: ReceiptSink) -> None:
        """Stay bound and bring receipts and replies to `sink`, until cancelled."""
        self._sink = sink
        try:
            async with self._crew.at_work():
                await self._line.run(self._deliver)
        finally:
            self._sink = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: everything comes over the one connection."""
        return ()

    def problem(self) -> str | None:
        """Return why no text can leave; see `warnd.channel.Channel`."""
        if self._line.session is not None:
            return None
        return (
            f"No SMS can leave: not bound to the message centre at {self._where}: {self._line.cause}. "
            "Check the sms.smpp settings, the network, and that the account is open."
        )

    async def probe(self) -> Sequence[Finding]:
        """Say whether it is bound; where nothing runs, bind as a transmitter, to whom no receipt is given, and leave again."""
        about = f"message centre {self._where}"
        if self._line.session is not None:
            return [Finding(about, told=f"bound as {self._section.system_id}")]
        try:
            session = await connected(self._section, tls=self._tls, clock=self._clock)
        except BindError as error:
            return [
                Finding(about, f"It cannot be reached: {error}. Check sms.smpp.host, port and tls, and the network.")
            ]
        try:
            await session.bind(BIND_TRANSMITTER)
            await session.unbind()
        except BindError as error:
            if error.status == ALREADY_BOUND:
                return [
                    Finding(
                        about, told=f"it answers; {self._section.system_id} is bound already, as it is while warnd runs"
                    )
                ]
            return [Finding(about, f"It does not let us bind: {error}.")]
        finally:
            session.end("closed")
        return [Finding(about, told=f"it lets {self._section.system_id} bind")]

    def _job(self, index: int, outgoing: Outgoing) -> Job:
        async def work(tell: Tell) -> None:
            self._under_way += 1
            try:
                tell(index, await self._outcome(outgoing))
            finally:
                self._under_way -= 1

        return Job((index,), work)

    async def _outcome(self, outgoing: Outgoing) -> Outcome:
        session = self._line.session
        if session is None:
            return Failed(f"not bound: {self._line.cause}")
        try:
            self._reference = (self._reference + 1) % _REFERENCES
            parts = parts_of(
                outgoing.texts[0].text, reference=self._reference, gsm_data_coding=self._section.gsm_data_coding
            )
        except TooLongError as error:
            return Failed(f"too long: {error}")
        if (now := self._clock.monotonic()) < self._paused_until:
            return self._throttled("too fast a moment ago")
        left_s = outgoing.start_by - now
        try:
            async with asyncio.timeout(None if math.isinf(left_s) else max(0.0, left_s)):
                await session.door.acquire()
        except TimeoutError:
            return NOT_STARTED
        try:
            answers = await self._written(session, outgoing, parts)
        finally:
            session.door.release()
        if answers is None:
            return NOT_STARTED
        return self._judged([await answer for answer in answers], count=len(parts))

    async def _written(
        self, session: Session, outgoing: Outgoing, parts: Sequence[Part]
    ) -> Sequence[Awaitable[Fate]] | None:
        """Write all parts, each as soon as the window has a place; None if the first would begin too late.

        The others follow it whenever they can, because half a text is no text.
        """
        answers: list[Awaitable[Fate]] = []
        for part in parts:
            standing = await session.slot()
            if not standing:
                break
            if not answers and self._clock.monotonic() > outgoing.start_by:
                session.give_back()
                return None
            answers.append(self._submitted(session, outgoing, part))
        return answers

    def _submitted(self, session: Session, outgoing: Outgoing, part: Part) -> "asyncio.Future[Fate]":
        life = validity(outgoing.message.expires_at, now=self._clock.now(), how=self._section.validity)
        entry = Entry(outgoing.attempt, part.number, part.count)

        def note(message_id: str) -> None:
            self._note(message_id, entry)

        def answered(answer: "asyncio.Future[Fate]") -> None:
            fate = answer.result()
            if isinstance(fate, Answered) and fate.status == OK and fate.message_id:
                note(fate.message_id)

        answer = session.submit(
            lambda sequence: submit(part, sequence, self._section, address=outgoing.address, validity=life), late=note
        )
        answer.add_done_callback(answered)
        return answer

    def _judged(self, fates: Sequence[Fate], *, count: int) -> Outcome:
        refused = [self._refusal(fate, number, count) for number, fate in enumerate(fates, 1)]
        definite = [each for each in refused if each is not None]
        if definite:
            return min(definite, key=lambda each: ("permanent", "throttled", "transient").index(each.retry))
        if len(fates) < count:
            return Failed(f"partial: {count - len(fates)} of {count} parts never left")
        if lost := next((fate for fate in fates if isinstance(fate, Lost)), None):
            return Unknown(lost.cause)
        first = fates[0]
        assert isinstance(first, Answered)
        told = kept_id(first.message_id, self._section.message_id_base)
        if not told:
            return Accepted()
        # A long text's reference is no part's id: the ledger would take that part's receipt for the whole text's.
        return Accepted(f"smpp:{told}" if count == 1 else f"smpp:{told}+{count - 1}")

    def _refusal(self, fate: Fate, number: int, count: int) -> Failed | None:
        where = f"part {number} of {count}: " if count > 1 else ""
        match fate:
            case Answered(status=status) if status != OK:
                if fate_of(status) == "throttled":
                    self._paused_until = self._clock.monotonic() + self._section.throttled_s
                    return self._throttled(f"{where}{name_of(status)}")
                _log.warning("smpp_refused", status=name_of(status), taken_as=fate_of(status))
                return Failed(f"{where}{name_of(status)}", retry=fate_of(status))
            case Unwritten(cause=cause):
                return Failed(f"{where}never left: {cause}")
            case _:
                return None

    def _throttled(self, reason: str) -> Failed:
        left_s = max(0.0, self._paused_until - self._clock.monotonic())
        return Failed(reason, retry="throttled", retry_after_s=left_s)

    def _note(self, message_id: str, entry: Entry) -> None:
        kept = kept_id(message_id, self._section.message_id_base)
        self._book.note(kept, entry)
        if known := self._awaited.get(kept):
            known.set()

    async def _deliver(self, pdu: smpp34.DeliverSm) -> bool:
        """Bring one delivered message to the ledger; see `session.Deliver`."""
        sink = self._sink
        if sink is None:
            return False
        try:
            receipt = await self._receipt(pdu)
            if receipt is not None:
                async with asyncio.timeout(_COMMIT_S):
                    await sink(receipt)
        except Exception as error:  # noqa: BLE001 - the edge: whatever keeps it from the ledger, the message centre must keep it
            _log.warning("smpp_receipt_not_committed", cause=repr(error))
            return False
        return True

    async def _receipt(self, pdu: smpp34.DeliverSm) -> Report | Reply | None:
        match read(pdu, self._section):
            case Receipted() as told:
                return await self._report(told)
            case Written(number=number, text=text):
                return Reply(NAME, number, text, raw=text[:_RAW_MAX])
            case _:
                return None

    async def _report(self, told: Receipted) -> Report | None:
        """Return what a receipt proves; None for a state that is not final, and for one without an id."""
        failed = told.state in FAILURES
        if not (failed or told.state == DELIVERED) or not told.message_ids:
            return None
        entry = await self._known(told.message_ids)
        long = entry is not None and entry.parts > 1
        return Report(
            channel=NAME,
            attempt=None if entry is None else entry.attempt,
            evidence=Evidence.NONE if failed else Evidence.DELIVERED,
            failed=failed,
            part=entry.part if entry is not None and long else None,
            parts=entry.parts if entry is not None and long else None,
            reason=f"{told.state} {told.error or ''}".strip() if failed else None,
            at=told.done_at,
            raw=told.raw,
            # Without the number: the id is one text's alone, and receipts write numbers in ways of their own.
            reference=f"smpp:{told.message_ids[0]}" if entry is None else None,
        )

    async def _known(self, message_ids: Sequence[str]) -> Entry | None:
        """Return whose receipt it is; one that is ahead of the answer to its part is given a moment."""
        if (entry := self._found(message_ids)) is not None or not self._under_way:
            return entry
        known = asyncio.Event()
        self._awaited.update(dict.fromkeys(message_ids, known))
        try:
            async with asyncio.timeout(_EARLY_S):
                await known.wait()
        except TimeoutError:
            return None
        finally:
            for message_id in message_ids:
                if self._awaited.get(message_id) is known:
                    del self._awaited[message_id]
        return self._found(message_ids)

    def _found(self, message_ids: Sequence[str]) -> Entry | None:
        return next((entry for message_id in message_ids if (entry := self._book.find(message_id)) is not None), None)
