"""Connections to the server, bounded: visitors must not take the file descriptors with which warnings leave.

Everything that the daemon opens (the store, the spool, the broker) draws on the same limit of open files as the public's connections.
"""

import asyncio
import resource
from ipaddress import ip_address
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

FIRST_REQUEST_S = 15.0  # Who connects and says nothing, or trickles, makes room for others.
NEXT_REQUEST_S = (
    30.0  # The same after an answer: the server's own patience for silence, and as much for a head under way.
)
_RESERVED = 64  # For this machine: the operator's command line, monitoring, a proxy.
_CEILING = 8_192


def most() -> int:
    """Return how many connections from elsewhere may be open: half of the files that this process may open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _CEILING if soft == resource.RLIM_INFINITY else soft // 2 - _RESERVED
    return max(16, min(_CEILING, allowed))


class Connection(H11Protocol):
    """One connection; closed at once when there are too many, and soon when it does not ask for anything."""

    limit = _CEILING
    first_request_s = FIRST_REQUEST_S
    next_request_s = NEXT_REQUEST_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience: asyncio.TimerHandle | None = None
        self._until = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Take the connection, or close it."""
        super().connection_made(transport)
        allowed = self.limit + (_RESERVED if self.client is not None and is_loopback(self.client[0]) else 0)
        if len(self.connections) > allowed:
            transport.abort()
            return
        self._wait_for_request(self.first_request_s)

    def on_response_complete(self) -> None:
        """Wait for the next request; half a one must not keep the connection for ever, nor the end of a body that nobody reads."""
        self._wait_for_request(self.next_request_s)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_request(self, seconds: float) -> None:
        """Give up so many seconds from now, unless told anew: a timer that is early waits on, which is cheaper than one for each."""
        self._until = self.loop.time() + seconds
        if self._patience is None or self._patience.when() > self._until:
            self._stop_waiting()
            self._patience = self.loop.call_at(self._until, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self.loop.time() < self._until:
            self._patience = self.loop.call_at(self._until, self._give_up)
            return
        cycle = getattr(self, "cycle", None)  # Typed as always there; it comes with the head of the first request.
        if cycle is None or cycle.response_complete:
            self.transport.abort()


def bounded(
    limit: int, *, first_request_s: float = FIRST_REQUEST_S, next_request_s: float = NEXT_REQUEST_S
) -> type[Connection]:
    """Return the kind of connection that a server with this limit makes."""
    told = {"limit": limit, "first_request_s": first_request_s, "next_request_s": next_request_s}
    return type("BoundedConnection", (Connection,), told)


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
