"""Fetches recordings that a command names, distrusting where they come from (DESIGN §9): allow-listed hosts, 5 MiB, no redirects, the hash.

A recording that was once fetched is kept in the state folder by its hash.
"""

import asyncio
import hashlib
import http.client
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import structlog

from warnd.clock import Clock
from warnd.model.loudspeaker import Audio, Why

AUDIO_MAX_BYTES: Final = 5 * 1024 * 1024
FETCH_TIMEOUT_S: Final = 20.0
KEPT_MAX: Final = 20
_CHUNK: Final = 64 * 1024

_log = structlog.get_logger(__name__)


class RecordingError(Exception):
    """A recording cannot be used.

    Attributes:
        reason: audio_fetch or audio_hash.
    """

    def __init__(self, reason: Why, cause: str) -> None:
        super().__init__(cause)
        self.reason = reason


class Recordings:
    """The recordings of one terminal.

    Args:
        hosts: Who may be asked, as "host" (any port) or "host:port".
    """

    def __init__(self, folder: Path, *, hosts: Sequence[str], clock: Clock) -> None:
        self._folder = folder
        self._hosts = frozenset(host.lower() for host in hosts)
        self._clock = clock

    async def get(self, audio: Audio) -> bytes:
        """Return a recording whose hash is right.

        Raises:
            RecordingError: It cannot be had from an allowed host in time, or is not what was signed.
        """
        kept = self._kept(audio.sha256)
        if kept is not None:
            return kept
        address = self._allowed(audio.url)
        # A thread cannot be cancelled, but its own deadline ends it.
        found = await asyncio.to_thread(_fetch, address, self._clock)
        if hashlib.sha256(found).hexdigest() != audio.sha256:
            raise RecordingError(Why.AUDIO_HASH, f"{audio.url} is not what was signed")
        self._keep(audio.sha256, found)
        return found

    def _allowed(self, url: str) -> SplitResult:
        try:
            address = urlsplit(url)
            named = {(address.hostname or "").lower(), f"{address.hostname}:{address.port}".lower()}
        except ValueError as error:
            raise RecordingError(Why.AUDIO_FETCH, f"{url[:200]!r} is no address: {error}") from error
        if address.scheme not in {"http", "https"} or "@" in address.netloc or not url.isprintable():
            raise RecordingError(Why.AUDIO_FETCH, f"{url[:200]!r} is not plain http(s)")
        if not named & self._hosts:
            raise RecordingError(Why.AUDIO_FETCH, f"{address.hostname} is not allowed; allow it with --audio-host")
        return address

    def _kept(self, sha256: str) -> bytes | None:
        try:
            found = (self._folder / sha256).read_bytes()
        except OSError:
            return None
        return found if hashlib.sha256(found).hexdigest() == sha256 else None

    def _keep(self, sha256: str, found: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f".{sha256}.new"
            beside.write_bytes(found)
            beside.replace(self._folder / sha256)
            oldest_first = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
            for path in oldest_first[:-KEPT_MAX]:
                path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("recording_not_kept", cause=error.strerror, fix="free space on the disk of the state folder")


def _fetch(address: SplitResult, clock: Clock) -> bytes:
    """Return what stands at an address; http.client follows no redirect."""
    maker = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    deadline = clock.monotonic() + FETCH_TIMEOUT_S
    connection = maker(address.hostname or "", address.port, timeout=FETCH_TIMEOUT_S / 2)
    try:
        connection.request("GET", f"{address.path or '/'}{'?' if address.query else ''}{address.query}")
        with connection.getresponse() as answer:
            return _body(answer, f"{address.hostname}", clock=clock, deadline=deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RecordingError(Why.AUDIO_FETCH, f"{address.hostname}: {error}") from error
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, host: str, *, clock: Clock, deadline: float) -> bytes:
    if answer.status != http.client.OK:
        raise RecordingError(Why.AUDIO_FETCH, f"{host} answered {answer.status}")
    found = bytearray()
    while chunk := answer.read1(_CHUNK):
        found += chunk
        if len(found) > AUDIO_MAX_BYTES:
            raise RecordingError(Why.AUDIO_FETCH, f"{host} sent more than {AUDIO_MAX_BYTES} bytes")
        if clock.monotonic() > deadline:
            raise RecordingError(Why.AUDIO_FETCH, f"{host} took longer than {FETCH_TIMEOUT_S:.0f} s")
    if answer.length:
        raise RecordingError(Why.AUDIO_FETCH, f"{host} sent {answer.length} bytes too few")
    return bytes(found)
