"""The addresses that a gateway pushes reports and replies to. It is told that we have them only after their commit.

Who may push knows the secret end of the address; where the settings name networks, it must come from one of them, too.
"""

import asyncio
import hmac
from collections.abc import Sequence
from ipaddress import ip_address

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from channels.sms.http_gateway.feed import UnreadableError, document, entries, receipts
from warnd.channel import ReceiptSink, Reply, Report
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_http_feeds import HttpFeed

_BODY_MAX = 1 << 20  # A thousand reports of a kilobyte each.
_AGAIN_S = "5"
_COMMIT_S = 8.0  # Gateways hang up on a push after five to ten seconds, and push again.

_log = structlog.get_logger(__name__)


class Pushes:
    """The endpoints of one gateway.

    Attributes:
        sink: Where receipts go; None until the gateway runs.
    """

    def __init__(self, section: SmsHttp) -> None:
        self.sink: ReceiptSink | None = None
        self._section = section
        self._token = None if section.push_token is None else section.push_token.get_secret_value().encode()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the endpoints for what the settings describe; without a token, none."""
        if self._token is None:
            return ()
        feeds = (("", self._section.reports), ("/replies", self._section.replies))
        return [self._route(end, feed) for end, feed in feeds if feed is not None]

    def _route(self, end: str, feed: HttpFeed) -> Route:
        async def pushed(request: Request) -> Response:
            return self._refusal(request) or await self._take(request, feed)

        return Route(f"/receipts/sms/{{token}}{end}", pushed, methods=["GET"] if feed.body == "query" else ["POST"])

    def _refusal(self, request: Request) -> Response | None:
        told = str(request.path_params["token"]).encode()
        if self._token is None or not hmac.compare_digest(told, self._token):
            return PlainTextResponse("no such address\n", 404)
        if self._section.push_sources and not self._comes_from_the_gateway(request):
            _log.warning("sms_push_from_elsewhere", host=request.client.host if request.client else None)
            return PlainTextResponse("not from here\n", 403)
        return None

    def _comes_from_the_gateway(self, request: Request) -> bool:
        try:
            host = ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(host in network for network in self._section.push_sources)

    async def _take(self, request: Request, feed: HttpFeed) -> Response:
        if self.sink is None:
            return _later()
        try:
            body = await _bounded(request)
        except ClientDisconnect:
            return _later()
        if body is None:
            return PlainTextResponse("too long\n", 413)
        if feed.body == "query":
            body = request.url.query.encode()
        try:
            found = entries(document(body, kind=feed.body, encoding=self._section.encoding), feed)
        except UnreadableError as error:
            _log.error("sms_push_not_understood", cause=str(error), bytes=len(body))
            return PlainTextResponse(f"{error}\n", 400)
        usable = receipts(found, feed, self._section)
        if len(usable) < len(found):
            _log.info("sms_push_without_proof", entries=len(found), usable=len(usable))
        if not await commit(usable, self.sink):
            return _later()
        return Response(feed.answer, media_type=feed.answer_type)


async def commit(found: Sequence[Report | Reply], sink: ReceiptSink) -> bool:
    """Hand all to the ledger at once, so that they are committed together; return whether every one is committed.

    One that the ledger refuses does not keep the others from it.
    """
    try:
        async with asyncio.timeout(_COMMIT_S):
            told = await asyncio.gather(*(sink(one) for one in found), return_exceptions=True)
    except TimeoutError as error:
        told = [error]
    refused = [each for each in told if isinstance(each, BaseException)]
    if refused:
        _log.warning("sms_receipts_not_committed", cause=repr(refused[0]), refused=len(refused), receipts=len(found))
    return not refused


async def _bounded(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_MAX:
            return None
    return bytes(body)


def _later() -> Response:
    return PlainTextResponse("not now\n", 503, headers={"Retry-After": _AGAIN_S})
