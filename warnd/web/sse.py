"""Server-sent events: bounded in number, never queued, dropped when the other side does not read.

A stream holds no list of what it still has to say. It looks for itself when the bell rings, so a slow reader costs no memory and
misses nothing but the states in between.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv6Address, IPv6Network

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from warnd.bell import Bell
from warnd.clock import Clock

HEARTBEAT_S = 15.0  # Proxies close a connection that is silent for longer.
PAUSE_S = 0.25  # Between two looks, however often the bell rings meanwhile.
SLOW_S = 10.0  # A client that has not taken one chunk by then is dropped; it comes back by itself.
RETRY_MS = 3_000

STILL_HERE = b": still here\n\n"

Look = Callable[[], Awaitable[bytes]]
"""Returns what has changed since it was last called, as whole events; nothing if nothing has."""


class Streams:
    """The open streams of one kind.

    Attributes:
        closing: True once the daemon stops; every stream then ends at its next look.
        by_address: How many are open to each address.
        slow_s: How long a client may take for one chunk.
    """

    def __init__(
        self,
        *,
        most: int,
        bell: Bell,
        clock: Clock,
        heartbeat_s: float = HEARTBEAT_S,
        slow_s: float = SLOW_S,
        heartbeat: Callable[[], bytes] = lambda: STILL_HERE,
        most_each: int | None = None,
    ) -> None:
        self.closing = False
        self.count = 0
        self.by_address: Counter[str] = Counter()
        self.slow_s = slow_s
        self._heartbeat_s = heartbeat_s
        self._heartbeat = heartbeat
        self._most = most
        self._most_each = most if most_each is None else most_each
        self._bell = bell
        self._clock = clock

    @property
    def full(self) -> bool:
        """True when no further stream may be opened."""
        return self.closing or self.count >= self._most

    def is_full_for(self, address: str) -> bool:
        """Return True when whoever is at this address may open no further one; many may share an address, few take all."""
        return self.full or self.by_address[address] >= self._most_each

    def close(self) -> None:
        """Let every stream end now."""
        self.closing = True
        self._bell.ring()

    async def follow(self, look: Look) -> AsyncIterator[bytes]:
        """Yield what `look` finds, at once and after every ring; a sign of life after each silent heartbeat."""
        yield b"retry: %d\n\n" % RETRY_MS
        while not self.closing:
            rings = self._bell.rings
            found = await look()
            if found:
                yield found
                await self._clock.sleep(PAUSE_S)
            elif not await self._bell.wait(self._heartbeat_s, since=rings):
                yield self._heartbeat()


class EventStream(Response):
    """The response that carries one stream."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, look: Look) -> None:
        # No proxy may keep the events back or store them.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client leaves, stops reading, or the daemon stops."""
        address = address_of(scope)
        self._streams.count += 1
        self._streams.by_address[address] += 1
        try:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(self._speak(scope, send))
                leaving = group.create_task(_left(receive))
                await asyncio.wait({speaking, leaving}, return_when=asyncio.FIRST_COMPLETED)
                speaking.cancel()
                leaving.cancel()
        finally:
            self._streams.count -= 1
            self._streams.by_address[address] -= 1
            if not self._streams.by_address[address]:
                del self._streams.by_address[address]

    async def _speak(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            async for chunk in self._streams.follow(self._look):
                try:
                    async with asyncio.timeout(self._streams.slow_s):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError:
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def address_of(scope: Scope) -> str:
    """Return the address of whoever asks, "" if it is unknown.

    Of an IPv6 address only the network: whoever has one address has 2^64 of them (RFC 6177), and would be as many visitors.
    """
    client = scope.get("client")
    told = str(client[0]) if client else ""
    try:
        address = IPv6Address(told)
    except ValueError:
        return told
    return told if address.ipv4_mapped else str(IPv6Network((int(address) >> 64 << 64, 64)))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(name: str, *, data: str, id_: int | str | None = None) -> bytes:
    """Return one event; `data` is JSON on one line."""
    number = "" if id_ is None else f"id: {id_}\n"
    return f"{number}event: {name}\ndata: {data}\n\n".encode()
