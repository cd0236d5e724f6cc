"""What Twilio calls back: the states of messages and the answers of phones. Nothing is confirmed before it is committed."""

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote_plus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from channels.sms.gateway import NAME
from channels.sms.twilio import statuses
from channels.sms.twilio.form import Form, Seal
from channels.sms.twilio.recall import Recall
from warnd.channel import Receipt, ReceiptSink, Reply, Report
from warnd.clock import Clock
from warnd.model.evidence import Evidence

STATUS_PATH = "/receipts/twilio/status"
INBOUND_PATH = "/receipts/twilio/inbound"
_AGAIN_S = 5.0
_KEPT = 10_000  # Replies that were taken, and receipts that wait for the ledger.
_STALE = timedelta(minutes=15)  # Twilio posts an answer at once, and once; what comes later was kept by somebody.
_RAW = ("MessageSid", "MessageStatus", "ErrorCode")
_ASKED = b"attempt="
_ATTEMPT = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # What may stand in an address; which letters Twilio gives is its own affair.
_LATER = Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": f"{_AGAIN_S:.0f}"})
_DONE = Response(status_code=HTTPStatus.NO_CONTENT)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """An answer as Twilio itself keeps it; its age is by Twilio's clock."""

    address: str
    text: str
    at: datetime
    age: timedelta = timedelta()


Fetch = Callable[[str], Awaitable[Posted | None]]
"""Returns the message with this SID as Twilio keeps it; None when it cannot be asked, or has no such message."""


class Callbacks:
    """The two endpoints."""

    def __init__(self, seal: Seal, recall: Recall, *, fetch: Fetch, clock: Clock) -> None:
        self._sink: ReceiptSink | None = None  # None while the gateway is not running.
        self._owed: deque[Receipt] = deque(maxlen=_KEPT)
        self._seal = seal
        self._recall = recall
        self._fetch = fetch
        self._clock = clock
        self._replies: OrderedDict[str, None] = OrderedDict()
        self._in_debt = asyncio.Event()
        self._routes = (
            Route(STATUS_PATH, self._told(self._status, STATUS_PATH), methods=["POST"]),
            Route(INBOUND_PATH, self._told(self._inbound, INBOUND_PATH), methods=["POST"]),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return the endpoints of DESIGN §10."""
        return self._routes

    async def run(self, sink: ReceiptSink) -> None:
        """Bring receipts to `sink`, until cancelled; those that it could not commit again and again."""
        self._sink = sink
        try:
            await self._pay()
            while True:
                if not self._owed:
                    self._in_debt.clear()
                    await self._in_debt.wait()
                await self._clock.sleep(_AGAIN_S)
                await self._pay()
        finally:
            self._sink = None

    async def _pay(self) -> None:
        """Commit what is owed; after a refusal another one comes first the next time, so that none blocks the others."""
        for receipt in tuple(self._owed):
            if not await self._committed(receipt):
                self._owed.rotate(-1)
                return
            self._owed.remove(receipt)

    def _told(
        self, take: Callable[[Request, Form], Awaitable[Response]], path: str
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                form = await self._seal.form(request, path=path)
                return await take(request, form)
            except HTTPException as refusal:
                if refusal.status_code == HTTPStatus.FORBIDDEN:
                    log.warning("twilio_callback_refused", path=path, cause=refusal.detail)
                return PlainTextResponse(f"{refusal.detail}\n", refusal.status_code, refusal.headers)

        return endpoint

    async def _status(self, request: Request, form: Form) -> Response:
        attempt = _attempt(request)
        if not _ATTEMPT.fullmatch(attempt):
            raise HTTPException(400, "The address has no attempt.")
        sid, status = _sid(form), form.get("MessageStatus") or form.get("SmsStatus") or ""
        if not status:
            raise HTTPException(400, "MessageStatus is missing.")
        sent = self._recall.get(attempt)
        if sent is not None and sent.sid not in {None, sid}:
            raise HTTPException(403, "The message is not the one of this attempt.")
        parts_failed = sent is not None and sent.failed and sent.segments > 1
        word = statuses.read(status, _error_code(form), failed_before=parts_failed)
        if word is None:
            log.warning("twilio_status_unknown", attempt=attempt, status=status[:40])
            return _DONE
        if sent is not None and word.evidence is Evidence.ACCEPTED and sent.fate in {"accepted", "over"}:
            return _DONE  # The answer to our call said the same, and it is committed.
        report = Report(
            NAME,
            attempt,
            word.evidence,
            failed=word.failed,
            permanent=word.permanent,
            reason=word.reason,
            raw="&".join([f"{name}={quote_plus(form[name][:100], errors='replace')}" for name in _RAW if name in form]),
        )
        if sent is not None:
            self._recall.name(sent, sid)
            sent.failed = sent.failed or word.failed
            sent.fate = "over" if word.final else "accepted"
        return await self._answer(report)

    async def _inbound(self, _request: Request, form: Form) -> Response:
        sid = _sid(form)
        if sid in self._replies:
            return _DONE
        posted = await self._checked(sid, form)
        if not posted.address:
            raise HTTPException(400, "From is missing.")
        if posted.age > _STALE:
            raise HTTPException(403, "The answer is older than Twilio ever posts one: it was posted before.")
        raw = f"MessageSid={sid} {posted.text}"
        self._replies[sid] = None
        if len(self._replies) > _KEPT:
            self._replies.popitem(last=False)
        return await self._answer(Reply(NAME, posted.address, posted.text, at=posted.at, raw=raw))

    async def _checked(self, sid: str, form: Form) -> Posted:
        """Ask Twilio for the answer: a signed form can be posted again years later, the message itself tells its time.

        An answer is worth more than the doubt: when Twilio cannot be asked, or does not find the message (yet, or any more), the form
        counts as it came, for its signature fits.
        """
        kept = await self._fetch(sid)
        if kept is not None:
            return kept
        log.warning("twilio_answer_not_looked_up", sid=sid)
        text = form.get("Body") or form.get("OptOutType") or ""
        return Posted(form.get("From", ""), text, at=self._clock.now())

    async def _answer(self, receipt: Receipt) -> Response:
        """Commit a receipt and say so; Twilio posts only once, so one that cannot be committed now is kept for `run`."""
        if await self._committed(receipt):
            return _DONE
        self._owed.append(receipt)
        self._in_debt.set()
        return _LATER

    async def _committed(self, receipt: Receipt) -> bool:
        if self._sink is None:
            return False
        try:
            await self._sink(receipt)
        except Exception as error:  # noqa: BLE001 - whatever keeps the ledger from committing, it is tried again
            log.warning("twilio_receipt_not_committed", cause=f"{type(error).__name__}: {error}")
            return False
        return True


def _attempt(request: Request) -> str:
    """Return the attempt of the address that we gave; what somebody has added to it does not matter."""
    query: bytes = request.scope.get("query_string", b"")
    if query.startswith(_ASKED) and b"&" not in query and b"%" not in query:
        return query[len(_ASKED) :].decode("latin-1")
    return request.query_params.get("attempt", "")


def _sid(form: Form) -> str:
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise HTTPException(400, "MessageSid is no message's SID.")
    return sid


def _error_code(form: Form) -> int | None:
    told = form.get("ErrorCode", "")
    return int(told[:9]) or None if told.isascii() and told.isdigit() else None
