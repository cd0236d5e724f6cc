"""The mail of the invented county: a server that takes everything on loopback, and people who read it and press the link.

It knows as much of SMTP (RFC 5321) as one polite sender needs, and hands every mail to nobody outside this process.
"""

import asyncio
import heapq
import re
from collections.abc import Collection
from email import message_from_bytes, policy
from random import Random
from typing import Self

import httpx

from warnd.clock import Clock

_LINK = re.compile(r"https?://\S+/a/\S+")
_LINE_MAX = 64 * 1024
_IDLE_S = 120.0
_POLL_S = 0.2
_PRESS_S = 10.0
_READS_AFTER_S = (2.0, 18.0)


class Mailboxes:
    """Takes mails and lets their readers answer.

    Args:
        readers: Addresses whose owners press the link; all others read and do nothing.
        random: Says who takes how long.

    Attributes:
        port: Where it listens while it is entered.
        readers: How many press links.
        taken: How many mails came.
        answered: How many links were pressed.
    """

    def __init__(self, readers: Collection[str], *, clock: Clock, random: Random) -> None:
        self._readers = frozenset(readers)
        self.readers = len(self._readers)
        self._clock = clock
        self._random = random
        self._due: list[tuple[float, str]] = []
        self._server: asyncio.Server | None = None
        self.port = 0
        self.taken = 0
        self.answered = 0

    async def __aenter__(self) -> Self:
        """Listen on any free port of loopback."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0, limit=_LINE_MAX)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_failure: object) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def run(self) -> None:
        """Let people press what they have read, until cancelled."""
        async with httpx.AsyncClient(timeout=_PRESS_S, trust_env=False) as browser:
            while True:
                while self._due and self._due[0][0] <= self._clock.monotonic():
                    await self._press(browser, heapq.heappop(self._due)[1])
                await self._clock.sleep(_POLL_S)

    async def _press(self, browser: httpx.AsyncClient, link: str) -> None:
        try:
            (await browser.post(link)).raise_for_status()
            self.answered += 1
        except httpx.HTTPError:  # As people do: they try again.
            heapq.heappush(self._due, (self._clock.monotonic() + 1.0, link))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say(writer, "220 mail.chengchuan.example ESMTP")
            recipients: list[str] = []
            while line := await _line(reader):
                verb = line[:4].upper()
                if verb == b"RCPT":
                    recipients.append(line.partition(b"<")[2].partition(b">")[0].decode("ascii", "replace"))
                if verb == b"DATA":
                    await self._say(writer, "354 go on")
                    self._take(await _mail(reader), recipients)
                    recipients = []
                await self._say(writer, _ANSWERS.get(verb, "250 fine"))
                if verb == b"QUIT":
                    break
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            pass  # The other side went away, or never ends: its mail is not taken, and it will come again.
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, line: str) -> None:
        writer.write(f"{line}\r\n".encode())
        async with asyncio.timeout(_IDLE_S):
            await writer.drain()

    def _take(self, mail: bytes, recipients: list[str]) -> None:
        self.taken += 1
        found = link_in(mail)
        if found is not None and self._readers.intersection(recipients):
            after_s = self._random.uniform(*_READS_AFTER_S)
            heapq.heappush(self._due, (self._clock.monotonic() + after_s, found))


_ANSWERS = {b"EHLO": "250-mail.chengchuan.example\r\n250 8BITMIME", b"QUIT": "221 goodbye"}


def link_in(mail: bytes) -> str | None:
    """Return the answer link in a mail's plain text, or None."""
    body = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    found = _LINK.search(body.get_content()) if body is not None else None
    return found[0] if found else None


async def _line(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(_IDLE_S):
        return await reader.readline()


async def _mail(reader: asyncio.StreamReader) -> bytes:
    """Read a mail up to the line with a single dot (RFC 5321 §4.5.2)."""
    lines = []
    while (line := await _line(reader)) != b".\r\n":
        if not line:
            raise asyncio.IncompleteReadError(b"", None)
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines)
