"""Asks Twilio what became of tries: at once about one whose answer was lost, after a while where no callback came. Never sends anything."""

import asyncio

import structlog

from channels.sms.gateway import NAME
from channels.sms.twilio import statuses
from channels.sms.twilio.link import Link, LinkError, RefusedError, within
from channels.sms.twilio.pause import pause
from channels.sms.twilio.recall import Candidate, Recall, Sent, candidate
from warnd.channel import Accepted, Failed, Outcome, ReceiptSink, Report, Unknown
from warnd.clock import Clock

_TICK_S = 1.0
_AT_ONCE = 10
_LISTED = 50  # The newest messages to one number; nobody is texted so often within the minutes that count.
_SETTLED_S = 12.0
"""After which a message that Twilio does not list was never made: far longer than it takes to make one."""
_SILENCE_S = (120.0, 600.0, 3600.0)
"""When a message without a final state is asked about, in seconds after it was accepted: callbacks can be lost (DOMAIN §5)."""
_AGAIN_S = 5.0
_ABSENT = "not at Twilio when asked again"

log = structlog.get_logger(__name__)


class Lookup:
    """The looks."""

    def __init__(self, link: Link, recall: Recall, *, clock: Clock, timeout_s: float) -> None:
        self._link = link
        self._recall = recall
        self._clock = clock
        self._timeout_s = timeout_s
        self._planned = asyncio.Event()

    def doubted(self, sent: Sent) -> None:
        """Note that a try's answer was lost; the dispatcher asks about it by `find`."""
        sent.fate, sent.doubted_at = "doubtful", self._clock.monotonic()

    def accepted(self, sent: Sent) -> None:
        """Ask about a message if it stays without a final state."""
        self._plan(sent)

    async def find(self, attempt: str) -> Outcome:
        """See `warnd.channel.Finder`; asks Twilio only where that can bring more."""
        sent = self._recall.get(attempt)
        if sent is None:
            return Unknown("warnd has restarted since, and Twilio keeps no id of ours")
        if sent.sid is not None:
            return Accepted(sent.sid)
        if sent.fate != "doubtful":
            return Failed("Twilio did not take it") if sent.fate == "over" else Unknown("its call is still open")
        try:
            found = await self._listed(sent)
        except LinkError as error:
            return Unknown(f"Twilio cannot be asked: {error}")
        if found is not None:
            self._take(sent, found)
            return Accepted(found.sid)
        return Failed(_ABSENT) if self._settled(sent) else Unknown("not at Twilio yet")

    async def run(self, sink: ReceiptSink) -> None:
        """Look at what is due, until cancelled."""
        while True:
            self._planned.clear()
            now = self._clock.monotonic()
            due = self._recall.due(now, limit=_AT_ONCE)
            async with asyncio.TaskGroup() as looks:
                for sent in due:
                    looks.create_task(self._look(sent, sink))
            if len(due) < _AT_ONCE:
                first = self._recall.first()
                await pause(self._clock, None if first is None else max(_TICK_S, first - now), event=self._planned)

    async def _look(self, sent: Sent, sink: ReceiptSink) -> None:
        sent.looks += 1
        try:
            done = await self._ask_state(sent, sink)
        except LinkError as error:
            log.info("twilio_look_failed", attempt=sent.attempt, cause=str(error))
            done = False
        except Exception as error:  # noqa: BLE001 - the ledger could not commit; a look soon brings it again
            log.warning("twilio_receipt_not_committed", cause=f"{type(error).__name__}: {error}")
            sent.looks -= 1
            self._look_at(sent, self._clock.monotonic() + _AGAIN_S)
            return
        if not done:
            self._plan(sent)

    async def _ask_state(self, sent: Sent, sink: ReceiptSink) -> bool:
        """Return whether the message's final state is known now."""
        try:
            message = await within(self._timeout_s, self._link.account.messages(sent.sid).fetch_async())
        except RefusedError as error:
            log.info("twilio_message_gone", attempt=sent.attempt, cause=str(error))
            return True
        found = candidate(message)
        word = statuses.read(found.status, found.error_code, failed_before=sent.failed and sent.segments > 1)
        if word is None or not word.final:
            return False
        raw = f"looked up: {found.status} {found.error_code or ''}".strip()
        report = Report(
            NAME,
            sent.attempt,
            word.evidence,
            failed=word.failed,
            permanent=word.permanent,
            reason=word.reason,
            raw=raw,
        )
        await sink(report)
        sent.failed, sent.fate = sent.failed or word.failed, "over"
        return True

    async def _listed(self, sent: Sent) -> Candidate | None:
        messages = await within(self._timeout_s, self._link.account.messages.list_async(to=sent.to, limit=_LISTED))
        return self._recall.match(sent, [candidate(message) for message in messages])

    def _take(self, sent: Sent, found: Candidate) -> None:
        """Note which message a try became; one that is at its end already is reported by a look of its own."""
        self._recall.name(sent, found.sid)
        sent.fate = "accepted"
        word = statuses.read(found.status, found.error_code)
        if word is not None and word.final:
            self._look_at(sent, self._clock.monotonic())
        else:
            self._plan(sent)

    def _settled(self, sent: Sent) -> bool:
        return self._clock.monotonic() - sent.doubted_at >= _SETTLED_S

    def _plan(self, sent: Sent) -> None:
        if sent.looks < len(_SILENCE_S):
            before = _SILENCE_S[sent.looks - 1] if sent.looks else 0.0
            self._look_at(sent, self._clock.monotonic() + _SILENCE_S[sent.looks] - before)

    def _look_at(self, sent: Sent, moment: float) -> None:
        """Put a look on the agenda; who waits for a later one must know only if this one is sooner."""
        first = self._recall.first()
        self._recall.plan(sent, moment)
        if first is None or moment < first:
            self._planned.set()
