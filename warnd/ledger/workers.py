"""Workers: which process starts serve a shared store, and which of them have gone silent.

All of it is told in the store's own time, which every worker lives by: machines' clocks differ, and a worker whose clock is ahead must
not take the others for dead.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger import events
from warnd.ledger.events import Stamp
from warnd.ledger.values import many

_BEAT = text(
    "INSERT INTO worker (writer, name, version, started_at, seen_at) VALUES (:writer, :name, :version, :now, :now) "
    "ON CONFLICT (writer) DO UPDATE SET seen_at = excluded.seen_at"
)
_SILENT = text("SELECT writer, name, seen_at FROM worker WHERE seen_at < :before AND writer <> :writer ORDER BY writer")


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the store's clock.

    Attributes:
        now_ms: What it said, in milliseconds since 1970 UTC.
        at: When, on the reader's monotonic scale; half-way between asking and hearing.
        took_s: How long asking took; what was read is off by half of it at most.
    """

    now_ms: int
    at: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Present:
    """A worker as it was last seen."""

    writer: str
    name: str
    version: str
    started_at: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker that is dead, or has left; `back` = another process has its name by now."""

    writer: str
    name: str
    back: bool


def clock(conn: Connection, *, monotonic: Callable[[], float]) -> Reading:
    """Read the clock of a shared store."""
    asked = monotonic()
    now_ms = conn.exec_driver_sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").scalar_one()
    heard = monotonic()
    return Reading(int(now_ms), (asked + heard) / 2, heard - asked)


def join(conn: Connection, *, name: str, version: str, stamp: Stamp) -> None:
    """Sign in at a process start."""
    beat(conn, name=name, version=version, stamp=stamp)
    events.append(conn, stamp=stamp, kind="worker.joined", message_id=None, data={"worker": name, "version": version})


def beat(conn: Connection, *, name: str, version: str, stamp: Stamp) -> None:
    """Give a sign of life; whoever was taken for dead meanwhile is among the living again."""
    conn.execute(_BEAT, {"writer": stamp.writer, "name": name, "version": version, "now": stamp.now_ms})


def leave(conn: Connection, *, name: str, stamp: Stamp) -> None:
    """Sign out, after the last outcome; whoever lives takes over at once."""
    conn.execute(text("UPDATE worker SET seen_at = 0 WHERE writer = :writer"), {"writer": stamp.writer})
    events.append(conn, stamp=stamp, kind="worker.left", message_id=None, data={"worker": name})


def present(conn: Connection) -> list[Present]:
    """Return all workers that have neither left nor been taken for dead, the eldest first."""
    rows = conn.execute(
        text(
            "SELECT writer, name, version, started_at, seen_at FROM worker WHERE seen_at > 0 ORDER BY started_at, writer"
        )
    )
    return [Present(*row) for row in rows]


def any_silent(conn: Connection, *, before_ms: int, writer: str) -> bool:
    """Say whether another worker was last seen before that; a look without the write lock."""
    return conn.execute(_SILENT, {"before": before_ms, "writer": writer}).first() is not None


def bury(conn: Connection, *, before_ms: int, stamp: Stamp) -> list[Gone]:
    """Take the others that left, or were last seen before that, for dead; return who they were."""
    rows = list(conn.execute(_SILENT, {"before": before_ms, "writer": stamp.writer}))
    if not rows:
        return []
    conn.execute(
        many("DELETE FROM worker WHERE writer IN :gone", "gone", of=str), {"gone": [row.writer for row in rows]}
    )
    events.append_all(
        conn,
        [("worker.gone", None, {"worker": row.name, "writer": row.writer}) for row in rows if row.seen_at],
        stamp=stamp,
    )
    back = {one.name for one in present(conn)}
    return [Gone(row.writer, row.name, back=row.name in back) for row in rows]
