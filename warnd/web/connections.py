"""Connections to the server, bounded: visitors must not take the file descriptors with which warnings leave.

Everything that the daemon opens (the store, the spool, the broker) draws on the same limit of open files as the public's connections.
"""

import asyncio
import resource
from ipaddress import ip_address
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

FIRST_REQUEST_S = 15.0  # Who connects and says nothing, or trickles, makes room for others.
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Take the connection, or close it."""
        super().connection_made(transport)
        allowed = self.limit + (_RESERVED if self.client is not None and is_loopback(self.client[0]) else 0)
        if len(self.connections) > allowed:
            transport.abort()
            return
        self._patience = self.loop.call_later(self.first_request_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if getattr(self, "cycle", None) is None:  # Typed as always there; it comes with the first whole request.
            self.transport.abort()


def bounded(limit: int, *, first_request_s: float = FIRST_REQUEST_S) -> type[Connection]:
    """Return the kind of connection that a server with this limit makes."""
    return type("BoundedConnection", (Connection,), {"limit": limit, "first_request_s": first_request_s})


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
