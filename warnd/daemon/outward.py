"""Calls to whoever watches from outside: bounded in time, never redirected, the answer's body not read."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

_GOOD = range(200, 300)


class Outward:
    """Calls one at a time; a failure is words, never an exception."""

    def __init__(self, *, timeout_s: float, agent: str) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._headers = {"User-Agent": agent}

    async def get(self, url: str) -> str | None:
        """Call an address; return why that did not succeed, or None."""
        return await self._call("GET", url)

    async def post(self, url: str, document: Mapping[str, Any]) -> str | None:
        """Post a JSON document; return why that did not succeed, or None."""
        return await self._call("POST", url, document)

    async def _call(self, method: str, url: str, document: Mapping[str, Any] | None = None) -> str | None:
        host = urlsplit(url).hostname  # The rest of the address may be a secret.
        body = None if document is None else json.dumps(document, ensure_ascii=False).encode()
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        try:
            # A connection of its own each time: once a minute is too seldom to keep one.
            async with (
                aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return None if response.status in _GOOD else f"{host} answers {response.status}"
        except TimeoutError:
            return f"{host} does not answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return f"{host} cannot be reached ({type(error).__name__})"
