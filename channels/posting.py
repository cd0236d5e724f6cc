"""One POST to somebody else's server: bounded in time and size, never redirected; a failure says whether it may have arrived."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, assert_never

import aiohttp

from channels.retry_after import retry_after_s
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.clock import Clock

_READ_BYTES = 2_048  # Of an answer: enough to see what it says, too little to be a burden.
_TOLD_CHARS = 120

Meaning = Literal["accepted", "gone", "permanent", "transient", "throttled", "ambiguous"]
"""What a status means for whoever posts; each channel has its table."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        retry_after_s: What it asked for, at most an hour; None = nothing.
        says: The beginning of its body, on one line.
    """

    status: int
    retry_after_s: float | None
    says: str

    @property
    def reason(self) -> str:
        """What a report says of it."""
        return f"{self.status} {self.says}".strip()


class Poster:
    """Posts over connections of its own."""

    def __init__(self, clock: Clock, *, timeout_s: float, reuse: bool) -> None:
        """Take how long one POST may last altogether, and whether connections are kept for the next one."""
        self._clock = clock
        self._timeout_s = timeout_s
        self._reuse = reuse
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Post for as long as the block lasts."""
        # How many are under way is the crowd's matter; a pool that made a try wait would start it too late.
        connector = aiohttp.TCPConnector(limit=0, force_close=not self._reuse)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer | Failed | Unknown:
        """Post and return what was answered; else `Failed` if it certainly did not arrive, `Unknown` if it may have."""
        if self._session is None:
            return Failed("not running")
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                wait = retry_after_s(response.headers.get("Retry-After"), now=self._clock.now())
                return Answer(response.status, wait, await _said(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Failed(f"no connection: {_cause(error)}")
        except aiohttp.InvalidURL:
            return Failed("its address is none", retry="permanent")
        except TimeoutError:
            return Unknown(f"no answer within {self._timeout_s:g} s")
        except aiohttp.ClientError as error:
            return Unknown(f"the connection broke: {_cause(error)}")


def outcome(
    meaning: Meaning, reason: str, *, retry_after_s: float | None = None, reference: str | None = None
) -> Outcome:
    """Return what became of a try that was answered.

    One who asks to wait is left in peace alone: `Failed` with "throttled" would hold up what goes to everybody else.
    """
    match meaning:
        case "accepted":
            return Accepted(reference)
        case "gone" | "permanent":
            return Failed(reason, retry="permanent", gone=meaning == "gone")
        case "throttled" | "transient":
            return Failed(reason, retry_after_s=retry_after_s)
        case "ambiguous":
            return Unknown(reason)
        case never:
            assert_never(never)


async def _said(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of the body on one line; the status counts even if the body never comes whole."""
    try:
        said = await response.content.read(_READ_BYTES)
    except (TimeoutError, aiohttp.ClientError):
        return ""
    return " ".join(said.decode("utf-8", "replace").split())[:_TOLD_CHARS]


def _cause(error: BaseException) -> str:
    """Return what went wrong without the address, in which secrets may stand."""
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return (said or type(error).__name__)[:_TOLD_CHARS]
