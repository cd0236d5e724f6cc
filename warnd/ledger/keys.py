"""Which public keys of terminals are believed: the directory's, beside it one that was rotated away lately, never a revoked one."""

import base64
from collections.abc import Iterable

from sqlalchemy import Connection, text

from warnd.ledger import directory
from warnd.ledger.values import many

_ENDED = many(
    "SELECT public_key FROM key_end WHERE terminal = :terminal AND ends_at <= :now AND public_key IN :keys",
    "keys",
    of=str,
)
_OLDER = text("SELECT public_key FROM key_end WHERE terminal = :terminal AND ends_at > :now ORDER BY public_key")
_END = text(
    "INSERT INTO key_end (terminal, public_key, ends_at) VALUES (:terminal, :key, :ends_at) "
    "ON CONFLICT (terminal, public_key) DO UPDATE SET ends_at = excluded.ends_at"
)


def current(conn: Connection, *, terminal_id: str, now_ms: int) -> bytes | None:
    """Return the 32 raw bytes of the key that the directory has, or None if it has none or that one has ended."""
    key = directory.terminal_key(conn, terminal_id=terminal_id)
    if key is None:
        return None
    values = {"terminal": terminal_id, "now": now_ms, "keys": [_text(key)]}
    return None if conn.execute(_ENDED, values).first() else key


def older(conn: Connection, *, terminal_id: str, now_ms: int) -> tuple[bytes, ...]:
    """Return the keys that were rotated away and are still believed."""
    rows = conn.execute(_OLDER, {"terminal": terminal_id, "now": now_ms})
    return tuple(base64.urlsafe_b64decode(row.public_key + "=") for row in rows)


def end(conn: Connection, *, terminal_id: str, public_keys: Iterable[bytes], ends_at_ms: int) -> None:
    """Let keys end at a time, sooner or later than was said before."""
    rows = [{"terminal": terminal_id, "key": _text(key), "ends_at": ends_at_ms} for key in public_keys]
    if rows:
        conn.execute(_END, rows)


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode("ascii").rstrip("=")
