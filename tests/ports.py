"""Ports for the servers of tests. Each test process takes its own from a range that the system gives to no outgoing connection."""

import os
import socket
from itertools import cycle

_FIRST = 10_000
_EACH = 5_000  # Ports for a process; four of them end below 32768, from where on the system picks ports by itself.
_worker = int("0" + "".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))))
_lowest = _FIRST + _worker % 4 * _EACH
_offset = os.getpid() * 37 % _EACH  # Two runs at once begin at different places.
_ports = cycle(_lowest + (_offset + n) % _EACH for n in range(_EACH))


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that this process does not name again soon."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is always a next one")
