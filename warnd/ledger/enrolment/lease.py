"""One import at a time: a row of `meta` that lapses, so that an import that was killed does not lock out the next.

The row is also the mark of work half done: it goes only when an import ends well.
"""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger.values import dumps


class Busy(Exception):  # noqa: N818 - a state of things, not a defect
    """Another import is under way.

    Attributes:
        until_ms: When its lease lapses unless it renews, in milliseconds since 1970 UTC.
    """

    def __init__(self, until_ms: int) -> None:
        super().__init__("another import is under way")
        self.until_ms = until_ms


class LeaseLost(Exception):  # noqa: N818 - it says what happened
    """Another import took over, because this one did not move for longer than its lease."""


@dataclass(frozen=True, slots=True)
class _Lease:
    token: str
    until_ms: int


def take(conn: Connection, *, token: str, now_ms: int, until_ms: int) -> bool:
    """Take the lease; return whether an earlier import left work half done.

    Raises:
        Busy: Another import holds it.
    """
    held = _held(conn)
    if held is not None and held.until_ms > now_ms and held.token != token:
        raise Busy(held.until_ms)
    _write(conn, _Lease(token, until_ms))
    return held is not None


def keep(conn: Connection, *, token: str, until_ms: int) -> None:
    """Renew the lease, in the same transaction as what it protects.

    Raises:
        LeaseLost: It is another's by now; nothing of this transaction may be committed.
    """
    held = _held(conn)
    if held is None or held.token != token:
        raise LeaseLost("another import began while this one stood still")
    _write(conn, _Lease(token, until_ms))


def give_back(conn: Connection, *, token: str, clean: bool) -> None:
    """Let the next import in; `clean` says that it has nothing to take back first. Does nothing if the lease is another's."""
    held = _held(conn)
    if held is None or held.token != token:
        return
    if clean:
        conn.execute(text("DELETE FROM meta WHERE key = 'import'"))
    else:
        _write(conn, _Lease(token, 0))


def publish(conn: Connection, *, rev: int) -> None:
    """Make revision `rev` the one that everybody reads."""
    _put(conn, "directory_rev", str(rev))


def _held(conn: Connection) -> _Lease | None:
    value = conn.execute(text("SELECT value FROM meta WHERE key = 'import'")).scalar_one_or_none()
    return _Lease(**json.loads(value)) if value else None


def _write(conn: Connection, lease: _Lease) -> None:
    _put(conn, "import", dumps({"token": lease.token, "until_ms": lease.until_ms}))


def _put(conn: Connection, key: str, value: str) -> None:
    conn.execute(
        text(
            "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        {"key": key, "value": value},
    )
