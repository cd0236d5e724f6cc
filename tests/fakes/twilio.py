"""Twilio as far as a sender of texts sees it: keeps messages, answers look-ups, calls back, and fails in every way it is told to."""

import asyncio
import base64
import hashlib
import hmac
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from itertools import count
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
from aiohttp import web
from starlette.types import ASGIApp

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "the token of the fake"
SENDER = "+15005550006"
PUBLIC_URL = "https://warn.example.org"

Fault = Literal["429", "429 bare", "500", "503", "lost", "lost later", "reset", "garbage", "no sid", "huge", "latin"]


@dataclass
class Kept:
    """One message as Twilio keeps it."""

    sid: str
    form: Mapping[str, str]
    made_at: datetime
    status: str = "queued"
    error_code: int | None = None
    direction: str = "outbound-api"

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        made = format_datetime(self.made_at)
        return {
            "sid": self.sid,
            "account_sid": ACCOUNT_SID,
            "to": self.form.get("To"),
            "from": self.form.get("From"),
            "messaging_service_sid": self.form.get("MessagingServiceSid"),
            "body": self.form.get("Body", ""),
            "status": self.status,
            "error_code": self.error_code,
            "error_message": None,
            "num_segments": str(-(-len(self.form.get("Body", "")) // 67)),
            "num_media": "0",
            "direction": self.direction,
            "date_created": made,
            "date_updated": made,
            "date_sent": None if self.status == "queued" else made,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{self.sid}.json",
            "subresource_uris": {},
        }


@dataclass
class FakeTwilio:
    """The account.

    Attributes:
        kept: Messages by SID, oldest first.
        faults: What becomes of the next posts, one each; the rest is taken. A number is a code, refused with 400.
        always: What becomes of every request; None = as `faults` says.
        status: Of the account.
        account_status: Of HTTP, for looks at the account.
        asked: How many requests came, by "METHOD what".
        forms: Every form posted to Messages, taken or not.
        app: Where callbacks go, in place of the public address; None = over a socket to `proxied_to`.
        proxied_to: The address at which a proxy serves the public one.
        early: The state that is called back before the answer to the call that makes a message.
    """

    kept: dict[str, Kept] = field(default_factory=dict)
    faults: deque[Fault | int] = field(default_factory=deque)
    always: Literal["refuse", "hang"] | None = None
    status: str = "active"
    account_status: int = 200
    asked: dict[str, int] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    app: ASGIApp | None = None
    proxied_to: str = "http://127.0.0.1:8080"
    early: str | None = None
    retry_after: str = "7"
    url: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    def sid(self) -> str:
        """Return a fresh SID of a message."""
        return f"SM{next(self._numbers):032x}"

    def heard(self) -> list[Kept]:
        """Return the texts it was given and kept."""
        return [one for one in self.kept.values() if one.direction != "inbound"]

    def keep_inbound(self, text: str, *, sender: str, at: datetime | None = None) -> Kept:
        """Take a text from a phone."""
        form = {"From": sender, "To": SENDER, "Body": text}
        inbound = Kept(self.sid(), form, at or _now(), status="received", direction="inbound")
        self.kept[inbound.sid] = inbound
        return inbound

    async def call_back(self, one: Kept, status: str, *, code: int | None = None, **more: str) -> httpx.Response:
        """Report a message's state to the address that its sender gave."""
        one.status, one.error_code = status, code
        form = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "From": one.form.get("From", SENDER),
            "MessageSid": one.sid,
            "MessageStatus": status,
            "SmsSid": one.sid,
            "SmsStatus": status,
            "To": one.form["To"],
            **({"ErrorCode": str(code)} if code else {}),
            **more,
        }
        return await self.post(one.form["StatusCallback"], form)

    async def bring(self, one: Kept, **more: str) -> httpx.Response:
        """Post a phone's text to the address that stands in the console."""
        form = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "Body": one.form["Body"],
            "From": one.form["From"],
            "FromCountry": "",
            "MessageSid": one.sid,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsMessageSid": one.sid,
            "SmsSid": one.sid,
            "SmsStatus": "received",
            "To": one.form["To"],
            **more,
        }
        return await self.post(f"{PUBLIC_URL}/receipts/twilio/inbound", form)

    async def post(
        self,
        url: str,
        form: Mapping[str, str] | bytes,
        *,
        token: str = AUTH_TOKEN,
        signature: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post a form as Twilio does: signed for the public address, carried by a proxy that keeps its own Host."""
        signed = dict(form) if isinstance(form, Mapping) else {}
        body = urlencode(signed).encode() if isinstance(form, Mapping) else form
        given = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": sign(url, signed, token=token) if signature is None else signature,
            **(headers or {}),
        }
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value]
        path = url.removeprefix(PUBLIC_URL)
        transport = None if self.app is None else httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=self.proxied_to, timeout=15) as proxy:
            return await proxy.post(path, content=body, headers=encoded)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        what = request.path.rpartition("/")[2]
        what = "Message" if what.startswith("SM") else what
        self.asked[f"{request.method} {what}"] = self.asked.get(f"{request.method} {what}", 0) + 1
        if self.always == "hang":
            await self._gone.wait()
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if self.always == "refuse" or request.headers.get("Authorization") != wanted:
            return _refusal(401, 20003, "Authenticate")
        if request.method == "POST" and what == "Messages.json":
            return await self._create(request)
        if what == "Messages.json":
            return self._list(request)
        if what == "Message":
            one = self.kept.get(request.path.rpartition("/")[2].removesuffix(".json"))
            return _refusal(404, 20404, "not found") if one is None else web.json_response(one.document())
        if what == f"{ACCOUNT_SID}.json":
            return self._account()
        return _refusal(404, 20404, "not found")

    def _account(self) -> web.Response:
        if self.account_status != HTTPStatus.OK:
            return _refusal(self.account_status, 20_000 + self.account_status, "not shown")
        return web.json_response({"sid": ACCOUNT_SID, "status": self.status, "friendly_name": "Qinghe", "type": "Full"})

    def release(self) -> None:
        """Let go of every request that is kept waiting."""
        self._gone.set()
        self._gone = asyncio.Event()

    def _list(self, request: web.Request) -> web.Response:
        to = request.query.get("To")
        newest = [one.document() for one in reversed(self.kept.values()) if to in {None, one.form.get("To")}]
        size = int(request.query.get("PageSize", "50"))
        return web.json_response({"messages": newest[:size], "page": 0, "page_size": size, "next_page_uri": None})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return _refusal(400, fault, "refused")
        if fault == "429":
            return _refusal(429, 20429, "Too Many Requests", {"Retry-After": self.retry_after})
        if fault in _SPOILT:
            return _SPOILT[fault]()
        made = Kept(self.sid(), form, _now())
        if fault == "lost later":
            await self._gone.wait()
        self.kept[made.sid] = made
        if fault == "lost":
            await self._gone.wait()
        if fault == "reset" and request.transport is not None:
            request.transport.abort()
        if self.early is not None:
            await self.call_back(made, self.early)
        return web.json_response(made.document(), status=201)


def _refusal(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    document = {"code": code, "message": message, "status": status, "more_info": "https://www.twilio.com/docs/errors"}
    return web.json_response(document, status=status, headers=headers)


_SPOILT: Mapping[str | None, Callable[[], web.Response]] = {
    "429 bare": lambda: _refusal(429, 20429, "Too Many Requests"),
    "500": lambda: web.Response(status=500, text="<h1>Error</h1>"),
    "503": lambda: web.Response(status=503, text="<h1>Error</h1>"),
    "garbage": lambda: web.Response(status=201, text="<html>a portal wants you to log in</html>"),
    "no sid": lambda: web.json_response({"status": "queued"}, status=201),
    "huge": lambda: web.Response(status=201, body=b"[" + b"1," * 1_000_000 + b"1]"),
    "latin": lambda: web.Response(status=201, body=b'{"body": "\xe9"}'),
}


def sign(url: str, form: Mapping[str, str], *, token: str = AUTH_TOKEN) -> str:
    """Return X-Twilio-Signature, written from its published description: the address, then each field's name and value, sorted."""
    told = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), told.encode(), hashlib.sha1).digest()).decode()


@asynccontextmanager
async def fake_twilio() -> AsyncIterator["Site"]:
    """Serve an account on a free loopback port until the block ends."""
    site = Site(FakeTwilio())
    await site.open()
    try:
        yield site
    finally:
        await site.close()


class Site:
    """The account on its port, which can be closed and opened again."""

    def __init__(self, twilio: FakeTwilio) -> None:
        self.twilio = twilio
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Answer."""
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.twilio.serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.twilio.url = f"http://127.0.0.1:{self._port}"

    async def close(self) -> None:
        """Be gone."""
        self.twilio.release()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - Twilio has a clock of its own
