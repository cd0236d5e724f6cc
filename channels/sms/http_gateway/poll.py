"""Fetches reports or replies from a gateway that does not push them. What was fetched is kept until it is committed."""

from random import Random

import structlog

from channels.sms.http_gateway.compose import Composer
from channels.sms.http_gateway.feed import UnreadableError, document, entries, receipts
from channels.sms.http_gateway.pushes import commit
from channels.sms.http_gateway.wire import DoubtError, Wire
from warnd.channel import ReceiptSink, Reply, Report
from warnd.clock import Clock
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_http_feeds import HttpFeed, HttpPoll, HttpReports
from warnd.settings.sections.sms_http_words import point, word

_OK = 200
_BACKOFF_CAP_S = 60.0

_log = structlog.get_logger(__name__)


class Poller:
    """Asks again and again.

    The cursor is kept in memory only: after a restart the gateway is asked from the beginning, and what comes twice counts once.

    Attributes:
        trouble: Why nothing is fetched right now, or None.
    """

    def __init__(
        self, feed: HttpFeed, poll: HttpPoll, *, section: SmsHttp, composer: Composer, clock: Clock, random: Random
    ) -> None:
        self.trouble: str | None = None
        self._feed = feed
        self._poll = poll
        self._section = section
        self._composer = composer
        self._clock = clock
        self._random = random
        self._what = "reports" if isinstance(feed, HttpReports) else "replies"
        self._cursor = ""
        self._uncommitted: list[Report | Reply] = []

    async def run(self, wire: Wire, sink: ReceiptSink) -> None:
        """Fetch until cancelled; a gateway that does not answer, or a ledger that does not commit, is tried ever more slowly."""
        failures = 0
        while True:
            try:
                more = await self.once(wire, sink)
            except Exception as error:  # noqa: BLE001 - the edge to other people's answers: none may end the gateway
                failures += 1
                cause = str(error) or repr(error)
                self.trouble = f"its {self._what} are not fetched ({cause})"
                _log.warning("sms_poll_failed", what=self._what, cause=cause, failures=failures)
                await self._clock.sleep(self._poll.every_s + self._backoff_s(failures))
            else:
                failures, self.trouble = 0, None
                await self._clock.sleep(0 if more else self._poll.every_s)

    async def once(self, wire: Wire, sink: ReceiptSink) -> bool:
        """Fetch once and commit; return whether the gateway has more at once.

        Raises:
            DoubtError, NotSentError: The gateway did not answer, or the ledger did not commit.
            UnreadableError: The answer is not what the settings describe.
        """
        await self._commit(sink)
        answer = await wire.ask(self._composer.question(self._poll, cursor=self._cursor))
        if answer.status != _OK:
            raise UnreadableError(f"HTTP {answer.status}")
        told = document(answer.body, kind="json", encoding=self._section.encoding)
        found = entries(told, self._feed)
        self._uncommitted = receipts(found, self._feed, self._section)
        await self._commit(sink)
        return self._moved(told) and bool(found)

    async def _commit(self, sink: ReceiptSink) -> None:
        if self._uncommitted and not await commit(self._uncommitted, sink):
            raise DoubtError("the ledger did not commit what was fetched")
        self._uncommitted = []

    def _moved(self, told: object) -> bool:
        """Move the cursor, only after the commit; return whether it moved."""
        cursor = None if self._poll.cursor is None else word(point(told, self._poll.cursor))
        before, self._cursor = self._cursor, self._cursor if cursor is None else cursor
        return before != self._cursor

    def _backoff_s(self, failures: int) -> float:
        return self._random.uniform(0, min(_BACKOFF_CAP_S, self._poll.every_s * 2.0 ** min(failures, 10)))
