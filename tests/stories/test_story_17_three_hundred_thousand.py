"""Scenario 17: 300,000 recipients, 3,000 loudspeakers, a gateway of 500 texts a second, in real time on a real store.

Responsible persons are told first, the screen says honestly when it will be done, memory stays bounded, and a Cancel works within 2 s.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text
from starlette.routing import BaseRoute

from tests.simulation.documents import cancel_of, flood
from tests.stores import kind, store_url
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Channel, Context, Outcome, Outgoing, ReceiptSink
from warnd.clock import SystemClock
from warnd.daemon import Daemon, read_files
from warnd.ledger.store import open_engine, open_ledger, upgrade
from warnd.model import cap
from warnd.model.authority import Principal
from warnd.model.evidence import Evidence
from warnd.settings import Settings, load

VILLAGES, OFFICERS = 3_000, 1_000
RATE_PER_S = 500
PROVINCE = "P"
OPERATOR = Principal(name="operator", scope="release")
CLOCK = SystemClock()
_MB = 1024 * 1024


@dataclass
class FastWire:
    """A provider that takes everything at once and only remembers what and when, small enough for 300,000 texts."""

    name: str
    strongest: Evidence
    sent: list[tuple[float, str, str | None]] = field(default_factory=list)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        for index, one in enumerate(batch):
            if CLOCK.monotonic() > one.start_by:
                yield index, NOT_STARTED
                continue
            self.sent.append((CLOCK.monotonic(), one.message.id, one.recipient))
            yield index, Accepted()

    async def run(self, sink: ReceiptSink) -> None:
        del sink
        await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None

    def of(self, message_id: str) -> list[tuple[float, str | None]]:
        """Return when what of a message went to whom."""
        return [(at, who) for at, about, who in self.sent if about == message_id]


def _homes() -> int:
    """Return how many households there are; the claims on a shared store are the same with a tenth of them."""
    return VILLAGES * (100 if kind() == "sqlite" else 10)


def _settle(url: str) -> None:
    """Put the people in by plain statements; the import has tests of its own."""
    upgrade(url)
    homes = _homes()

    def numbers(count: int) -> str:
        return f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"

    village = "'V' || CAST(100000 + i % 3000 AS TEXT)"
    engine = open_engine(url)
    with engine.begin() as conn:
        for statement in (
            f"INSERT INTO region (code, name, tier, path, from_rev) VALUES ('{PROVINCE}', 'P', 'province', '/{PROVINCE}/', 1)",
            (
                "INSERT INTO region (code, name, tier, parent, path, from_rev) "
                f"{numbers(VILLAGES)} SELECT {village}, 'V', 'village', '{PROVINCE}', '/{PROVINCE}/' || {village} || '/', 1 FROM n"
            ),
            f"INSERT INTO recipient (no, id) {numbers(homes)} SELECT i + 1, 'home-' || CAST(i AS TEXT) FROM n",
            f"INSERT INTO recipient (no, id) {numbers(VILLAGES)} SELECT 400001 + i, 'term-' || CAST(i AS TEXT) FROM n",
            f"INSERT INTO recipient (no, id) {numbers(OFFICERS)} SELECT 500001 + i, 'officer-' || CAST(i AS TEXT) FROM n",
            (
                "INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang, phone) "
                f"{numbers(homes)} SELECT i + 1, i + 1, 1, 'household', 'H', {village}, 'zh', '+86' || CAST(13000000000 + i AS TEXT) FROM n"
            ),
            (
                "INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang) "
                f"{numbers(VILLAGES)} SELECT 400001 + i, 400001 + i, 1, 'terminal', 'T', {village}, 'zh' FROM n"
            ),
            (
                "INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang, phone) "
                f"{numbers(OFFICERS)} SELECT 500001 + i, 500001 + i, 1, 'person', 'O', {village}, 'zh', "
                "'+86' || CAST(15000000000 + i AS TEXT) FROM n"
            ),
            (
                "INSERT INTO seat (version_no, role, region) SELECT no, 'information_officer', region FROM recipient_version "
                "WHERE kind = 'person'"
            ),
            "INSERT INTO meta (key, value) VALUES ('directory_rev', '1')",
            "ANALYZE",
        ):
            conn.execute(text(statement))
    engine.dispose()


_CONFIG = """
node.languages = ["zh", "en"]
sms.spool.dir = "spool"
sms.rate_per_s = {rate}
"""


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[tuple[Daemon, FastWire, FastWire]]:
    url = store_url(folder)
    await asyncio.to_thread(_settle, url)
    (folder / "warnd.toml").write_text(f'store.url = "{url}"\n{_CONFIG.format(rate=RATE_PER_S * 3)}', "utf-8")
    settings = load(folder / "warnd.toml", {})
    texts, speakers = FastWire("sms", Evidence.ACKNOWLEDGED), FastWire("mqtt", Evidence.PRESENTED)
    ledger = open_ledger(url)
    daemon = Daemon(
        settings,
        ledger=ledger,
        clock=CLOCK,
        chance=random.Random(17),
        writer="writer",
        tag="story",
        answer_key=bytes(32),
        files=read_files(settings),
        public_url="http://127.0.0.1",
        build={"sms": _build(texts), "mqtt": _build(speakers)},
    )
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(daemon.run())
            yield daemon, texts, speakers
            daemon.stop()
    finally:
        await ledger.close()


def _build(wire: FastWire) -> Callable[[Settings, Context], Channel]:
    return lambda _settings, _context: wire


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


def _in_province(alert: cap.Alert) -> cap.Alert:
    area = cap.Area(description="全省", geocodes=(("region_code", PROVINCE),))
    return replace(alert, infos=tuple(replace(info, areas=(area,)) for info in alert.infos))


async def test_persons_first_an_honest_end_bounded_memory_and_a_stop_within_two_seconds(tmp_path: Path) -> None:
    alert = _in_province(flood(sent=CLOCK.now().replace(microsecond=0)))
    async with _serving(tmp_path) as (daemon, texts, speakers):
        before = _resident()
        released = await daemon.desk.submit(cap.write(alert), by=OPERATOR)
        alert_id = released.warning_id
        assert alert_id is not None
        planned = asyncio.Event()

        async def watch_planning() -> None:
            while not await daemon.ledger.read(_is_planned, warning_id=alert_id):
                await daemon.bell.wait(0.5)
            planned.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(watch_planning())
            await until(lambda: planned.is_set() and len(texts.sent) > OFFICERS + 500, timeout_s=90)
        assert _resident() - before < 200 * _MB
        begun = [who or "" for _, who in texts.of(alert_id)]
        assert all(who.startswith("officer-") for who in begun[:OFFICERS]), "the public was served before persons"
        assert speakers.of(alert_id)[0][1] is None, "one publication on the province's topic"

        await daemon.watchdog.look()
        outlook = daemon.watchdog.outlook(alert_id)
        assert outlook is not None
        people = OFFICERS + _homes()
        assert 0.9 * people - len(texts.sent) < outlook.due <= people + VILLAGES
        assert outlook.done_at is not None
        promised_s = (outlook.done_at - CLOCK.now()).total_seconds()
        first, last = texts.sent[0][0], texts.sent[-1][0]
        at_best_s = outlook.due / (RATE_PER_S * 3)  # A text without a request to answer may be one segment.
        as_seen_s = outlook.due / (len(texts.sent) / (last - first))
        assert 0.5 * at_best_s < promised_s < 2 * max(at_best_s, as_seen_s), (promised_s, at_best_s, as_seen_s)

        cancelled = await daemon.desk.submit(
            cap.write(cancel_of(alert, sent=CLOCK.now().replace(microsecond=0))), by=OPERATOR
        )
        committed = CLOCK.monotonic()
        cancel_id = cancelled.warning_id
        assert cancel_id is not None
        await until(lambda: len(texts.of(cancel_id)) >= 500, timeout_s=30)
        old = texts.of(alert_id)
        stopped_after_s = old[-1][0] - committed
        assert stopped_after_s <= 2.0, stopped_after_s
        assert texts.of(cancel_id)[0][0] - committed <= 2.0
        taken_back = [who or "" for _, who in texts.of(cancel_id)[:500]]
        assert all(who.startswith("officer-") for who in taken_back), "the public was told of the end before persons"
        assert speakers.of(cancel_id)[0][0] - committed <= 2.0


def _is_planned(conn: Any, *, warning_id: str) -> bool:
    found = conn.execute(text("SELECT stage FROM message WHERE id = :id"), {"id": warning_id}).scalar()
    return bool(found == "planned")
