"""Periodic work that several workers could do: each due run is a row, and whoever writes the row does it.

A run belongs to its worker until its lease ends; of a worker that died in the middle, another takes it over.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from warnd.ledger import events
from warnd.ledger.events import Stamp

_KEPT = 400  # Runs of a job that stay on record: a year of daily ones.


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run of a job.

    Attributes:
        slot: Local wall time that names it ("2026-10-25T02:30"): the hour that a clock change repeats has one run, not two.
        due_at: Milliseconds since 1970 UTC.
        open_until: When another worker may take it over; None = it has ended.
    """

    slot: str
    due_at: int
    open_until: int | None


def newest(conn: Connection, *, job: str) -> Run | None:
    """Return the newest run of a job; None = it never ran on this store."""
    row = conn.execute(
        text(
            "SELECT slot, due_at, CASE WHEN ended_at IS NULL THEN lease_until END AS open_until FROM periodic_run "
            "WHERE job = :job ORDER BY due_at DESC LIMIT 1"
        ),
        {"job": job},
    ).one_or_none()
    return None if row is None else Run(row.slot, row.due_at, row.open_until)


def begin(conn: Connection, *, job: str, slot: str, due_at: int, missed: int, lease_ms: int, stamp: Stamp) -> bool:
    """Take a run; False if another worker has done it, or is at it.

    `missed` says how many runs before it fell due while nobody worked; they are told and not made up for.
    """
    row = conn.execute(
        text("SELECT ended_at, lease_until FROM periodic_run WHERE job = :job AND slot = :slot"),
        {"job": job, "slot": slot},
    ).one_or_none()
    if row is not None and (row.ended_at is not None or row.lease_until > stamp.now_ms):
        return False
    conn.execute(
        text(
            "INSERT INTO periodic_run (job, slot, due_at, writer, began_at, lease_until) VALUES (:job, :slot, :due, :writer, :now, :until) "
            "ON CONFLICT (job, slot) DO UPDATE "
            "SET writer = excluded.writer, began_at = excluded.began_at, lease_until = excluded.lease_until"
        ),
        {
            "job": job,
            "slot": slot,
            "due": due_at,
            "writer": stamp.writer,
            "now": stamp.now_ms,
            "until": stamp.now_ms + lease_ms,
        },
    )
    if row is not None:
        events.append(conn, stamp=stamp, kind="periodic.taken_over", message_id=None, data={"job": job, "slot": slot})
    if missed:
        told = {"job": job, "missed": missed, "slot": slot}
        events.append(conn, stamp=stamp, kind="periodic.missed", message_id=None, data=told)
    return True


def end(conn: Connection, *, job: str, slot: str, trouble: str | None, stamp: Stamp) -> None:
    """Close a run that this worker holds; `trouble` says why it failed, None = done. Forgets the oldest runs of the job."""
    closed = conn.execute(
        text(
            "UPDATE periodic_run SET ended_at = :now, outcome = :outcome "
            "WHERE job = :job AND slot = :slot AND writer = :writer AND ended_at IS NULL"
        ),
        {"job": job, "slot": slot, "writer": stamp.writer, "now": stamp.now_ms, "outcome": trouble or "done"},
    )
    if closed.rowcount == 0:
        return  # It took longer than its lease, and another has it.
    kind = "periodic.done" if trouble is None else "periodic.failed"
    events.append(conn, stamp=stamp, kind=kind, message_id=None, data={"job": job, "slot": slot, "trouble": trouble})
    conn.execute(
        text(
            "DELETE FROM periodic_run WHERE job = :job AND due_at < (SELECT due_at FROM periodic_run WHERE job = :job "
            "ORDER BY due_at DESC LIMIT 1 OFFSET :kept)"
        ),
        {"job": job, "kept": _KEPT},
    )
