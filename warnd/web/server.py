"""Serves the application on one address until it is cancelled, and lets go of its connections in time."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from warnd.web.connections import Connection, bounded, most
from warnd.web.doors import Doors

_GRACE_S = 3  # For requests under way when the daemon stops; the whole daemon has ten seconds.
_HEADERS_MAX = 32_768
_DATE_S = 1.0
_BACKLOG = 512


class CannotListen(OSError):  # noqa: N818 - the fact in the fewest words
    """The address cannot be bound; the text says which and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        CannotListen: The address is taken, not this machine's, or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Inherited by every connection: asyncio sets it only where a socket names its protocol, which this one does not, and
        # without it the body of each answer waits 40 ms for the head to be acknowledged.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Change http.listen, or stop what uses that port."
        ) from error
    return listening


def prepare(app: FastAPI) -> None:
    """Have the routes ready: FastAPI joins those of its routers at the first request, which takes a tenth of a second."""
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "query_string": b"", "headers": []}
    for route in app.routes:
        route.matches(scope)


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling, which is the daemon's, and with a word when it answers."""

    def __init__(self, config: uvicorn.Config, *, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started
        self._ending = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    async def main_loop(self) -> None:
        """Renew the date of the answers every second until told to `end`; uvicorn's own looks ten times a second whether it shall end."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DATE_S):
                    await self._ending.wait()

    def end(self) -> None:
        """Begin to shut down."""
        self.should_exit = True
        self._ending.set()


async def serve(
    app: FastAPI,
    *,
    listening: socket.socket,
    started: Callable[[], None] = lambda: None,
    connection: type[Connection] | None = None,
) -> None:
    """Serve until cancelled; then end streams, finish what is under way for at most three seconds, and close the socket.

    Args:
        app: What `create_app` returned.
        listening: From `bind`.
        started: Called once requests are answered.
        connection: How connections are bounded; None = by how many files this process may open.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=connection or bounded(most()),
        ws="none",
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEADERS_MAX,
    )
    server = _Server(config, started=started)
    doors: Doors = app.state.doors
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listening]), name="http")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            doors.api_streams.close()
            doors.site_streams.close()
            server.end()
            await serving  # Before the group would cancel it: what is under way is answered.
            raise
