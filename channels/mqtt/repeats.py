"""Receipts that were committed not long ago: the same bytes again need neither their key nor the ledger, only their answer.

A fleet that comes back sends everything that was not confirmed, and once more when the command is repeated. Nothing is held here that is
not committed.
"""

import hashlib

_KEPT_MAX = 50_000  # Receipts; some megabytes.


class Repeats:
    """Remembers what was committed, by its bytes and where they came in."""

    def __init__(self) -> None:
        self._committed: dict[bytes, tuple[str, int]] = {}

    def find(self, topic: str, payload: bytes) -> tuple[str, int] | None:
        """Return (boot, n) such that receipts 1..n of that boot are committed, if this one was; None = never seen."""
        return self._committed.get(_digest(topic, payload))

    def add(self, topic: str, payload: bytes, *, boot_id: str, n: int) -> None:
        """Remember a receipt that is committed."""
        if len(self._committed) >= _KEPT_MAX:
            self._committed.clear()
        self._committed[_digest(topic, payload)] = (boot_id, n)


def _digest(topic: str, payload: bytes) -> bytes:
    return hashlib.sha256(topic.encode() + b"\0" + payload).digest()
