"""Serves the recordings that commands name, by their hash, to loudspeakers: five thousand of them may ask in one second."""

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from warnd.clock import Clock
from warnd.ledger import recordings
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms

KEPT_BYTES: Final = 32 * 1024 * 1024
_LOOK_S: Final = 2.0  # For which a recording is served without another look at whether its message still holds.
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FOR_EVER: Final = "public, max-age=31536000, immutable"  # The hash is the name: what it names never changes.


@dataclass(slots=True)
class _Shown:
    media: bytes
    looked_at: float


class Recordings:
    """The recordings that messages in force name; those of the last minutes stay in memory."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._turn = asyncio.Lock()

    def route(self) -> Route:
        """Return the endpoint; GET and HEAD."""
        return Route("/audio/{sha256}.mp3", self.serve)

    async def serve(self, request: Request) -> Response:
        """Give one recording, or 404: also for one that no message in force names, whether it is there or not."""
        sha256 = request.path_params["sha256"]
        media = await self._media(sha256) if _HASH.fullmatch(sha256) else None
        if media is None:
            return PlainTextResponse("There is no such recording.\n", 404, {"Cache-Control": "no-store"})
        tag = f'"{sha256}"'
        headers = {"ETag": tag, "Cache-Control": _FOR_EVER}
        known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
        if tag in known or known == ["*"]:
            return Response(status_code=304, headers=headers)
        return Response(media, headers=headers, media_type="audio/mpeg")

    async def _media(self, sha256: str) -> bytes | None:
        shown = self._fresh(sha256)
        if shown is None:
            async with self._turn:  # The first one reads; all others who asked meanwhile have it from memory.
                shown = self._fresh(sha256) or await self._look(sha256)
        return None if shown is None else shown.media

    def _fresh(self, sha256: str) -> _Shown | None:
        shown = self._shown.get(sha256)
        return shown if shown is not None and self._clock.monotonic() - shown.looked_at < _LOOK_S else None

    async def _look(self, sha256: str) -> _Shown | None:
        before = self._shown.pop(sha256, None)
        if not await self._ledger.read(recordings.served, sha256=sha256, now_ms=to_ms(self._clock.now())):
            return None
        media = before.media if before is not None else await self._ledger.read(recordings.media, sha256=sha256)
        if media is None:
            return None
        shown = _Shown(media, self._clock.monotonic())
        self._shown[sha256] = shown
        while sum(len(each.media) for each in self._shown.values()) > KEPT_BYTES:
            self._shown.popitem(last=False)
        return shown
