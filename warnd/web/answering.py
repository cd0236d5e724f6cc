"""Answer links: `GET /a/{token}` shows what is asked, `POST` confirms it. Looking never confirms: mail scanners look at every link.

The token is the secret, so there are no cookies and nothing to forge from another site; a page that was never sent cannot be found.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from warnd.channel import ReceiptSink, Report
from warnd.clock import Clock
from warnd.ledger import answers
from warnd.ledger.answers import Question
from warnd.ledger.node import parse_attempt_id
from warnd.ledger.views import PublicWarning
from warnd.model import cap
from warnd.model.answer import attempt_of
from warnd.model.evidence import Evidence
from warnd.web.doors import doors_of
from warnd.web.language import Choice
from warnd.web.pages import Pages
from warnd.web.sheets import Sheets
from warnd.web.site import Shown
from warnd.web.wording import PageWarning

_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}
_AT_ONCE = 4  # Looks into the ledger; whoever asks more waits, and those who work with it do not.
_PER_MINUTE = 30  # Requests about one link; a person needs two.
_REMEMBERED = 10_000
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Links:
    """What answer links are checked with, and where answers go.

    Attributes:
        key: The store's secret.
        tag: The store's mark, with which our attempt ids begin.
        sink: Takes the answer and returns after its commit.
    """

    key: bytes
    tag: str
    sink: ReceiptSink


@dataclass(frozen=True, slots=True)
class _Asked:
    attempt: str
    question: Question


class Answering:
    """Serves the pages behind answer links."""

    def __init__(self, links: Links, *, clock: Clock, pages: Pages, sheets: Sheets) -> None:
        self._links = links
        self._pages = pages
        self._sheets = sheets
        self._turnstile = Turnstile(clock.monotonic)
        self._looking = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[Route]:
        """Return the one address, for looking and for answering."""
        return [Route("/a/{token}", self._serve, methods=["GET", "POST"])]

    async def _serve(self, request: Request) -> Response:
        attempt = attempt_of(self._links.key, request.path_params["token"])
        if attempt is None:
            return await self._nothing(request)
        if not self._turnstile.lets_through(attempt):
            return await self._too_often(request)
        asked = await self._look(request, attempt)
        if asked is None:
            return await self._nothing(request)
        if request.method == "POST" and asked.question.answered_at is None:
            asked = await self._confirm(request, asked)
        return await self._page(request, asked.question)

    async def _look(self, request: Request, attempt: str) -> _Asked | None:
        ours = parse_attempt_id(self._links.tag, attempt)
        if ours is None:
            return None
        doors = doors_of(request)
        async with self._looking:
            found = await doors.ledger.read(answers.question, leg_no=ours[0], number=ours[1], now=doors.clock.now())
        return None if found is None else _Asked(attempt, found)

    async def _confirm(self, request: Request, asked: _Asked) -> _Asked:
        """Record the answer; return what the page shows after its commit."""
        report = Report(asked.question.channel, asked.attempt, Evidence.ACKNOWLEDGED, raw="answer link")
        await self._links.sink(report)
        return await self._look(request, asked.attempt) or asked

    async def _page(self, request: Request, question: Question) -> Response:
        choice = self._sheets.choice(request)
        newer = question.newer
        body = self._sheets.render(
            "answer.html.j2",
            choice,
            path=request.url.path,
            shown=await self._wording(request, question.warning, choice),
            newer=None if newer is None else await self._wording(request, newer, choice),
            state=question.warning.state,
            drill=question.drill,
            asked=_masked(question.name),
            answered=self._time(request, question.answered_at, choice),
        )
        return HTMLResponse(body, headers=_HEADERS)

    async def _wording(self, request: Request, warning: PublicWarning, choice: Choice) -> PageWarning:
        alert = await asyncio.to_thread(cap.parse, warning.document)
        return self._pages.wording(Shown(warning, alert), choice, doors_of(request))

    def _time(self, request: Request, at: datetime | None, choice: Choice) -> str:
        return "" if at is None else self._sheets.local(at.astimezone(doors_of(request).node.timezone), choice.words)

    async def _nothing(self, request: Request) -> Response:
        return _secret(await self._pages.error(request, 404))

    async def _too_often(self, request: Request) -> Response:
        refused = _secret(await self._pages.error(request, 429))
        refused.headers["Retry-After"] = str(int(_MINUTE_S))
        return refused


class Turnstile:
    """Lets each link be asked about only so often; remembers a bounded number of them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def lets_through(self, attempt: str) -> bool:
        """Count one request about an attempt; False = too many within this minute."""
        now = self._monotonic()
        since, count = self._seen.pop(attempt, (now, 0))
        if now - since >= _MINUTE_S:
            since, count = now, 0
        self._seen[attempt] = (since, count + 1)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return count < _PER_MINUTE


def _secret(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def _masked(name: str) -> str:
    """Return a name by which its owner knows that they are meant, and others learn little."""
    return f"{name[:1]}**"
