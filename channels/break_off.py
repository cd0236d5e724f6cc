"""Breaks a connection off: what is buffered is dropped, nobody is waited for."""

import asyncio
from contextlib import suppress


def break_off(transport: asyncio.WriteTransport) -> None:
    """Abort a transport in whatever state it is.

    Python 3.11.2, which Debian 12 has, forgets the protocol under a TLS transport that was closed twice, and then cannot abort it: there is
    nothing left to break off.
    """
    with suppress(AttributeError):
        transport.abort()
