"""Periodic work: at its hours in the centre's time zone, once however many workers there are, and missed runs are said."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, text

from tests.fakes.manual_clock import ManualClock
from tests.simulation.world import Wire, accepts
from tests.stores import store_url
from warnd.channel import Finding
from warnd.daemon.chores import chores
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.timetable import Job, Timetable
from warnd.ledger import cleanup, events, periodic
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger, open_inline, upgrade
from warnd.ledger.values import to_ms
from warnd.model.evidence import Evidence
from warnd.settings import load

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


@dataclass
class Work:
    """A job that notes when it ran, and fails or hangs when told."""

    clock: ManualClock
    ran: list[datetime] = field(default_factory=list)
    trouble: str | None = None
    hangs: bool = False

    async def __call__(self) -> str | None:
        self.ran.append(self.clock.now())
        if self.hangs:
            await asyncio.Event().wait()
        return self.trouble


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = store_url(tmp_path)
    upgrade(url)
    opened = open_inline(url)
    yield opened
    await opened.close()


def timetable(ledger: Ledger, clock: ManualClock, work: Work, *, hours: str, writer: str = "one") -> Timetable:
    job = Job("sweep", CronTrigger.from_crontab(hours, timezone=BERLIN), work, within_s=0.2)
    return Timetable(ledger, clock, jobs=[job], writer=writer, metrics=Metrics(CollectorRegistry()))


async def look(table: Timetable) -> float:
    return await table.look(table._jobs[0])


async def told(ledger: Ledger, kind: str) -> list[dict[str, Any]]:
    def read(conn: Connection) -> list[dict[str, Any]]:
        rows = conn.execute(text("SELECT data FROM event WHERE kind = :kind ORDER BY no"), {"kind": kind})
        return [json.loads(row.data) for row in rows]

    return await ledger.read(read)


async def test_a_job_runs_at_its_hour_of_the_centres_day(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 29, tzinfo=UTC))  # 02:29 in Berlin's summer.
    work = Work(clock)
    table = timetable(ledger, clock, work, hours="30 2 * * *")
    assert await look(table) == 60.0
    assert not work.ran
    await clock.advance(60)
    await look(table)
    await look(table)
    assert work.ran == [datetime(2026, 7, 1, 0, 30, tzinfo=UTC)]
    assert await told(ledger, "periodic.done") == [{"job": "sweep", "slot": "2026-07-01T02:30", "trouble": None}]


async def test_it_keeps_its_hours_by_itself(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 0, tzinfo=UTC))
    work = Work(clock)
    table = timetable(ledger, clock, work, hours="0 * * * *")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(table.run())
        await clock.advance(3 * 3600 + 1)
        task.cancel()
    assert [at.hour for at in work.ran] == [1, 2, 3]


@pytest.mark.parametrize(
    ("day", "runs"),
    [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), ["2026-10-25T02:30"]),  # The night in which 02:30 comes twice.
        (
            datetime(2026, 3, 28, 23, tzinfo=UTC),
            ["2026-03-29T03:30"],
        ),  # The night in which 02:30 never comes: an hour later.
    ],
)
async def test_a_change_of_the_clocks_neither_doubles_nor_drops_a_run(
    ledger: Ledger, day: datetime, runs: list[str]
) -> None:
    clock = ManualClock(day)
    work = Work(clock)
    table = timetable(ledger, clock, work, hours="30 2 * * *")
    for _ in range(6 * 12):
        await look(table)
        await clock.advance(300)
    assert [run["slot"] for run in await told(ledger, "periodic.done")] == runs
    assert len(work.ran) == 1


async def test_missed_runs_are_said_and_the_newest_is_made_up_for(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 0, tzinfo=UTC))
    work = Work(clock)
    await clock.advance(3600)
    before = timetable(ledger, clock, work, hours="0 * * * *")
    await clock.advance(3600)
    await look(before)
    clock.set_wall(clock.now() + 5 * HOUR)  # The daemon was down for five hours.
    after = timetable(ledger, clock, work, hours="0 * * * *", writer="two")
    await look(after)
    await look(after)
    assert len(work.ran) == 2
    assert await told(ledger, "periodic.missed") == [{"job": "sweep", "missed": 4, "slot": "2026-07-01T09:00"}]


async def test_two_workers_do_it_once(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 29, tzinfo=UTC))
    work = Work(clock)
    tables = [timetable(ledger, clock, work, hours="30 2 * * *", writer=name) for name in ("one", "two")]
    for table in tables:
        await look(table)
    await clock.advance(60)
    await asyncio.gather(*(look(table) for table in tables))
    assert len(work.ran) == 1


async def test_a_run_whose_worker_died_is_taken_over_after_its_lease(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 30, tzinfo=UTC))
    work = Work(clock)
    stamp = Stamp(to_ms(clock.now()), "dead")
    begun = await ledger.write(
        periodic.begin,
        job="sweep",
        slot="2026-07-01T02:30",
        due_at=stamp.now_ms,
        missed=0,
        lease_ms=60_000,
        stamp=stamp,
    )
    assert begun
    table = timetable(ledger, clock, work, hours="30 2 * * *")
    await clock.advance(59)
    await look(table)
    assert not work.ran, "it was taken from a worker that may live"
    await clock.advance(1)
    await look(table)
    assert len(work.ran) == 1
    assert await told(ledger, "periodic.taken_over") == [{"job": "sweep", "slot": "2026-07-01T02:30"}]
    await ledger.write(periodic.end, job="sweep", slot="2026-07-01T02:30", trouble="late", stamp=stamp)
    assert not await told(ledger, "periodic.failed"), "the dead one's end was believed"


async def test_a_job_that_fails_or_hangs_says_so_and_comes_again(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 30, tzinfo=UTC))
    work = Work(clock, trouble="the mail server is away")
    table = timetable(ledger, clock, work, hours="0 * * * *")
    await clock.advance(1800)
    await look(table)
    work.hangs = True
    await clock.advance(3600)
    await look(table)
    work.trouble, work.hangs = None, False
    await clock.advance(3600)
    await look(table)
    assert [run["trouble"] for run in await told(ledger, "periodic.failed")] == [
        "the mail server is away",
        "it took longer than 0.2 s",
    ]
    assert len(await told(ledger, "periodic.done")) == 1


async def test_a_clock_set_back_repeats_nothing(ledger: Ledger) -> None:
    clock = ManualClock(datetime(2026, 7, 1, 0, 30, tzinfo=UTC))
    work = Work(clock)
    table = timetable(ledger, clock, work, hours="0 * * * *")
    await clock.advance(1800)
    await look(table)
    clock.set_wall(clock.now() - HOUR)
    for _ in range(13):
        await look(table)
        await clock.advance(300)
    assert len(work.ran) == 1


async def test_what_nobody_needs_is_forgotten_and_nothing_else(ledger: Ledger) -> None:
    now = to_ms(datetime(2026, 7, 1, tzinfo=UTC))
    old, fresh = now - 40 * 86_400_000, now - 86_400_000

    def fill(conn: Connection) -> None:
        for writer, seen in (("old", old), ("fresh", fresh)):
            conn.execute(
                text("INSERT INTO worker (writer, name, version, started_at, seen_at) VALUES (:w, 'a', '1', 0, :seen)"),
                {"w": writer, "seen": seen},
            )
        for address, closed in (("+1", old), ("+2", fresh), ("+3", None)):
            conn.execute(
                text(
                    "INSERT INTO reply_digit (address, message_no, digit, opened_at, closed_at) VALUES (:a, 1, 1, 0, :closed)"
                ),
                {"a": address, "closed": closed},
            )

    def left(conn: Connection) -> tuple[list[str], list[str]]:
        workers = conn.execute(text("SELECT writer FROM worker ORDER BY writer")).scalars()
        return list(workers), list(conn.execute(text("SELECT address FROM reply_digit ORDER BY address")).scalars())

    await ledger.write(fill)
    before = now - 30 * 86_400_000
    assert await ledger.write(cleanup.sweep, before_ms=before, limit=10) == 2
    assert await ledger.write(cleanup.sweep, before_ms=before, limit=10) == 0
    assert await ledger.read(left) == (["fresh"], ["+2", "+3"])


async def test_a_long_record_is_verified_page_by_page(ledger: Ledger) -> None:
    def fill(conn: Connection) -> None:
        for writer in ("a", "b"):
            for n in range(5):
                events.append(conn, stamp=Stamp(n, writer), kind="x", message_id=None, data={"n": n})

    def spoil(conn: Connection) -> None:
        conn.execute(text("UPDATE event SET data = '{}' WHERE writer = 'b' AND seq = 4"))

    await ledger.write(fill)
    assert await _paged(ledger) == []
    await ledger.write(spoil)
    assert [(each.writer, each.seq) for each in await _paged(ledger)] == [("b", 4)]


async def _paged(ledger: Ledger) -> list[events.Break]:
    found: list[events.Break] = []
    at: events.Place | None = events.BEGINNING
    while at is not None:
        page = await ledger.read(events.verify_page, after=at, limit=3)
        found += page.breaks
        at = page.next
    return found


async def test_the_settings_give_jobs_their_hours(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "warnd.toml"
    file.write_text(
        '[node]\ntimezone = "Europe/Berlin"\n[periodic]\nprobe = "never"\naudit = "15 5 * * mon-fri"\n', "utf-8"
    )
    jobs = chores(load(file, {}), ledger, ManualClock(), channels={})
    assert {job.name: str(job.trigger.timezone) for job in jobs} == {
        "cleanup": "Europe/Berlin",
        "audit": "Europe/Berlin",
    }
    assert [await job.work() for job in jobs] == [None, None]


class Broken(Wire):
    """A channel whose look at its provider ends otherwise than agreed."""

    async def probe(self) -> Sequence[Finding]:
        raise OSError("no route")


async def test_a_channel_whose_probe_breaks_is_in_trouble_and_no_end_of_the_daemon(
    ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "warnd.toml"
    file.write_text('[periodic]\ncleanup = "never"\naudit = "never"\nprobe = "0 6 * * *"\n', "utf-8")
    channels = {"sms": Broken("sms", Evidence.DELIVERED, accepts)}
    (job,) = chores(load(file, {}), ledger, ManualClock(), channels=channels)
    assert await job.work() == "sms (probe): it broke: no route"
