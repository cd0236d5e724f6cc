"""Sends one request to the gateway and says how it went: an answer, certainly not sent, or nobody knows. Every wait is bounded."""

import ssl
from collections.abc import Callable
from datetime import datetime

import aiohttp
from yarl import URL

from channels.reach import why
from channels.retry_after import retry_after_s
from channels.sms.http_gateway.compose import Request
from channels.sms.http_gateway.verdict import Answer

ANSWER_MAX = 4 << 20
_IDLE_S = 4.0  # Shorter than gateways keep idle connections: one that they close under a call leaves its fate unknown.


class NotSentError(Exception):
    """The request certainly did not reach the gateway; the message says why."""


class DoubtError(Exception):
    """The request may have reached the gateway; the message says why nobody knows."""


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authority in `ca_file`, which settings have tried, or the system's."""
    return ssl.create_default_context(cafile=ca_file)


class Wire:
    """The connections to one gateway."""

    def __init__(self, *, timeout_s: float, context: ssl.SSLContext, now: Callable[[], datetime]) -> None:
        self._timeout_s = timeout_s
        self._now = now
        # The number of connections is bounded by the callers.
        connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=_IDLE_S)
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        # The library sends a GET or PUT again by itself when the connection breaks: a warning would go out twice, and nobody would know.
        self._session._retry_connection = False  # noqa: SLF001 - it has no public word for this; a test holds it to it

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, request: Request) -> Answer:
        """Send a request and read the answer whole. Redirections are not followed: they would carry our secrets elsewhere.

        Raises:
            NotSentError: See there.
            DoubtError: See there.
        """
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_MAX:
                        raise DoubtError("its answer does not end")
                wait_s = retry_after_s(response.headers.get("Retry-After"), now=self._now())
                return Answer(response.status, bytes(body), wait_s)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotSentError(_cause(error)) from error
        except TimeoutError as error:
            raise DoubtError(f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DoubtError(f"the connection broke ({_cause(error)})") from error


def _cause(error: BaseException) -> str:
    """Return what went wrong without the address that was asked, in which secrets may stand."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return why(error.os_error)
    return "the address cannot be used" if isinstance(error, aiohttp.InvalidURL) else type(error).__name__
