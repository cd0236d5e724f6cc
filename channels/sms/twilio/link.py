"""The line to Twilio's API: its own library, over an HTTP class of ours.

The library's own class ignores its time-out, keeps no `Retry-After`, reads answers of any size, and takes most of the time that a text
takes. Knows nothing of attempts and outcomes.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext

from channels.retry_after import retry_after_s
from channels.sms.twilio.answer import AnswerError
from channels.sms.twilio.wire import NoLineError, Wire
from warnd.clock import Clock

_SILENT = logging.getLogger("warnd.twilio.library")


class LinkError(Exception):
    """A call that brought no usable answer; the text says why."""


class NotTakenError(LinkError):
    """Nothing reached Twilio: no name, no connection, no TLS."""


class DoubtfulError(LinkError):
    """The request was under way; what became of it is not known."""


class RefusedError(LinkError):
    """Twilio answered, and the answer is no.

    Attributes:
        status: Of HTTP.
        code: Twilio's own, None where the body has none.
        retry_after_s: What it asked for, 0 to 3600.
    """

    def __init__(self, status: int, code: int | None, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


class Link:
    """Twilio's API for one account.

    Args:
        timeout_s: For a whole call; half of it for the connection alone, so that a call that ran out of it is known to have been under way.
        connections: Open at once.
    """

    def __init__(
        self, *, account_sid: str, auth_token: str, base_url: str, timeout_s: float, connections: int, clock: Clock
    ) -> None:
        self.account_sid = account_sid
        self._auth_token = auth_token
        self.base_url = base_url
        self._timeout_s = timeout_s
        self._connections = connections
        self._clock = clock
        self._ahead = timedelta()  # Of Twilio's clock before ours: a centre's clock may be wrong by minutes.
        self._users = 0
        self._wire: Wire | None = None
        self._account: AccountContext | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold the connections; whoever opens it too shares them, and the last one closes."""
        if self._users == 0:
            self._wire = self._connected()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0 and self._wire is not None:
                wire, self._wire, self._account = self._wire, None, None
                await wire.close()

    def _connected(self) -> Wire:
        wire = Wire(self.base_url, timeout_s=self._timeout_s, connections=self._connections)
        user = base64.b64encode(f"{self.account_sid}:{self._auth_token}".encode()).decode()
        http = _Http(wire, f"Basic {user}", self._clock, told_time=self._told_time)
        # An environment of our own: TWILIO_EDGE and TWILIO_REGION would send the texts to another host.
        client = Client(self.account_sid, self._auth_token, http_client=http, environment={"TWILIO": "warnd"})
        client.api.base_url = self.base_url
        self._account = client.api.v2010.accounts(self.account_sid)
        return wire

    def now(self) -> datetime:
        """Return the time by Twilio's clock, as far as its latest answer to a question told."""
        return self._clock.now() + self._ahead

    def _told_time(self, header: str) -> None:
        """Learn from an answer's Date (RFC 9110 §6.6.1)."""
        with suppress(ValueError, OverflowError):
            self._ahead = utc(parsedate_to_datetime(header)) - self._clock.now()

    @property
    def account(self) -> AccountContext:
        """The library's view of the account; only while open. Await its calls through `within`."""
        assert self._account is not None, "the link is not open"
        return self._account


@asynccontextmanager
async def heeded() -> AsyncIterator[None]:
    """Turn whatever goes wrong in a call of the library into a `LinkError`.

    Raises:
        LinkError: With what is known about the request's fate.
    """
    try:
        yield
    except LinkError:
        raise
    except NoLineError as error:
        raise NotTakenError(f"no connection: {error}") from error
    except TimeoutError as error:
        raise DoubtfulError("no answer in time") from error
    except OSError as error:
        raise DoubtfulError(f"connection lost: {type(error).__name__}") from error
    except AnswerError as error:
        raise DoubtfulError(str(error)) from error
    # The library trusts what it parses.
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError) as error:
        raise DoubtfulError("the answer is no message") from error


class _Http(AsyncHttpClient):  # type: ignore[misc]  # The library is not typed.
    """What the library sends through: see the module."""

    def __init__(self, wire: Wire, authorization: str, clock: Clock, *, told_time: Callable[[str], None]) -> None:
        super().__init__(_SILENT, True, None)
        self._told_time = told_time
        self._wire = wire
        self._authorization = authorization
        self._clock = clock

    async def request(  # noqa: PLR0917 - the library's signature
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,  # noqa: ASYNC109 - the library's signature
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> Response:
        """Send one request.

        Raises:
            RefusedError: The status is not 2xx.
            DoubtfulError: The answer is no text.
            OSError, AnswerError: There was no whole answer; see `Wire.call`.
        """
        # The wire's; Twilio never redirects, and a redirected text would be a leak.
        del auth, timeout, allow_redirects
        body = "&".join([f"{name}={_quoted(str(value))}" for name, value in data.items()]).encode() if data else b""
        url = f"{url}?{urlencode(params)}" if params else url
        head = _head(method, url, self._authorization, tuple((headers or {}).items()))
        answer = await self._wire.call(b"%s%d\r\n\r\n%s" % (head, len(body), body))
        text = _text(answer.body)
        if method == "GET" and (date := answer.told(b"date")) is not None:
            self._told_time(date)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - 2xx
            wait_s = retry_after_s(answer.told(b"retry-after"), now=self._clock.now())
            raise RefusedError(answer.status, _code(text), retry_after_s=wait_s)
        return Response(answer.status, text, {})


@lru_cache(maxsize=64)
def _head(method: str, url: str, authorization: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return a request up to the number of its body's bytes; that of every text is the same."""
    parts = urlsplit(url)
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
    told = {"Host": parts.netloc.rpartition("@")[2], **dict(headers), "Authorization": authorization}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise NotTakenError("a header of the request has two lines")
    return ("\r\n".join([*lines, "Content-Length: "])).encode("latin-1")


@lru_cache(maxsize=1024)
def _quoted(value: str) -> str:
    """Return a value as it stands in a form. Texts, senders and lives come again and again, and Chinese takes long to quote."""
    return quote_plus(value, errors="replace")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise DoubtfulError("the answer is no text") from error


def _code(text: str) -> int | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    code = document.get("code") if isinstance(document, dict) else None
    return code if type(code) is int else None


async def within(seconds: float, call: Any) -> Any:
    """Await one of the library's calls, for at most `seconds`.

    Raises:
        LinkError: See `heeded`.
    """
    async with heeded(), asyncio.timeout(seconds):
        return await call


def utc(moment: datetime) -> datetime:
    """Return a time of the library as aware UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
