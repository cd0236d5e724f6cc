"""A small HTTP server on loopback that remembers what it took and can refuse, hang or be asked for any answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Taken:
    """One request that was answered with success."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What it answers, and what it took."""

    status: int = 200
    says: str = "ok"
    answer_headers: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    asked: list[Taken] = field(default_factory=list)
    port: int = 0
    _go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, status: int, says: str = "", **headers: str) -> None:
        """Answer everything like this from now on; underscores in names of headers stand for hyphens."""
        self.status, self.says = status, says
        self.answer_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._go_on.set()

    def hang(self) -> None:
        """Take requests and say nothing."""
        self._go_on.clear()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request as it was told."""
        one = Taken(request.path_qs, request.headers.copy(), await request.read())
        self.asked.append(one)
        if not self._go_on.is_set():
            await self._go_on.wait()  # Whoever asked has hung up by then, so this is never a success.
            return web.Response(status=500)
        if self.status < 300:
            self.taken.append(one)
        return web.Response(status=self.status, text=self.says, headers=self.answer_headers)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Start one that takes everything; stop it at the end, whatever hangs."""
    made = Receiver()
    made.answer(200, "ok")
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        made.answer(500)
        await runner.cleanup()
