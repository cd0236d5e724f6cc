"""The daemon is killed again and again while a warning goes out, and once more while it is being cancelled. Nobody is lost."""

import asyncio
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
from sqlalchemy import Connection, text

from tests.fakes.served import Served, serving, start
from tests.invariants import Standing, check, never_fell, standing, whoever_heard_is_told_of_the_end
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import cancel_of, document, flood
from tests.stores import kind, reading, store_url
from tests.waiting import until
from warnd.cli.demo.handsets import Behaviour, Handsets
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed

_HOUSEHOLDS = 60
_KILLS_BEFORE_CANCEL, _KILLS_AFTER_CANCEL = (8, 5) if kind() == "sqlite" else (3, 2)  # A start takes longer there.
_TOKEN = "story-token"


@dataclass(slots=True)
class Memory:
    """What was true at the last look; `busy` counts the looks that found work under way or waiting."""

    standing: Standing | None = None
    busy: int = 0

    def look(self, conn: Connection) -> None:
        """Check everything, and that nothing fell since the last look (DESIGN §11, 2)."""
        check(conn)
        now = standing(conn)
        if self.standing is not None:
            never_fell(self.standing, now)
        self.standing = now
        waiting = (
            "SELECT count(*) FROM leg l JOIN message m ON m.no = l.message_no WHERE m.closed_as IS NULL AND l.state IN "
        )
        self.busy += conn.execute(text(f"{waiting} ('due', 'submitting')")).scalar_one() > 0


@dataclass(frozen=True, slots=True)
class Centre:
    """One daemon's home."""

    folder: Path
    config: Path
    url: str
    port: int

    def store(self) -> AbstractContextManager[Connection]:
        """Read the store beside, or after, the daemon."""
        return reading(self.url)

    def out(self) -> list[dict[str, str]]:
        """Return the texts in the spool, in the order of their writing."""
        files = sorted((self.folder / "spool" / "out").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def _centre(folder: Path) -> Centre:
    port, url = free_port(), store_url(folder)
    config = folder / "warnd.toml"
    config.write_text(
        f"""
node.languages = ["zh", "en"]
store.url = "{url}"
http.listen = "127.0.0.1:{port}"
sms.spool.dir = "spool"
sms.rate_per_s = 25
log.level = "warning"
""",
        encoding="utf-8",
    )
    found(
        url, folder, clock=SystemClock(), recipients=recipients_csv(households=_HOUSEHOLDS, without_terminal=VILLAGES)
    )
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
    engine.dispose()
    return Centre(folder, config, url, port)


async def _post(served: Served, body: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/cap+xml"}
    async with httpx.AsyncClient(timeout=10.0) as client:
        return await client.post(f"{served.url}/api/v1/warnings", content=body, headers=headers)


async def _kill_soon(centre: Centre, chance: Random, memory: Memory) -> None:
    """Start the daemon, let it work for a random moment, kill it, and look at what it left."""
    served = await start(centre.config, port=centre.port, log=centre.folder / "serve.log")
    enough = asyncio.get_running_loop().time() + chance.uniform(0.0, 0.5)
    await until(lambda: asyncio.get_running_loop().time() >= enough)
    await served.kill()
    with centre.store() as conn:
        memory.look(conn)


async def test_nobody_is_lost_however_often_the_daemon_is_killed(tmp_path: Path) -> None:
    """DESIGN §11: 1, 2, 3, 5, 8, 11 after each of many kills at random points of one dispatch and its cancel."""
    centre, chance, memory = _centre(tmp_path), Random(20260701), Memory()
    clock = SystemClock()
    alert = flood(level="yellow", sent=clock.now().replace(microsecond=0))
    people = Behaviour(report_after_s=(0.1, 1.0), answer_after_s=(0.3, 3.0), twice=0.2)
    phones = Handsets(tmp_path / "spool", clock=clock, random=Random(5), behaviours={}, otherwise=people)
    async with asyncio.TaskGroup() as group:
        ringing = group.create_task(phones.run())
        async with serving(centre.config, port=centre.port, log=tmp_path / "serve.log") as served:
            assert (await _post(served, document(alert))).status_code == 201
            await served.kill()
        for _ in range(_KILLS_BEFORE_CANCEL):
            await _kill_soon(centre, chance, memory)
        async with serving(centre.config, port=centre.port, log=tmp_path / "serve.log") as served:
            assert (await _post(served, document(cancel_of(alert)))).status_code == 201
            await served.kill()
        for _ in range(_KILLS_AFTER_CANCEL):
            await _kill_soon(centre, chance, memory)
        async with serving(centre.config, port=centre.port, log=tmp_path / "serve.log"):
            await until(lambda: _settled(centre), timeout_s=60)
        ringing.cancel()
    with centre.store() as conn:
        memory.look(conn)
        assert (
            memory.busy >= (_KILLS_BEFORE_CANCEL + _KILLS_AFTER_CANCEL) // 2
        )  # Kills of an idle daemon would show nothing.
        whoever_heard_is_told_of_the_end(conn)
    _repeats_say_so(centre)


def _settled(centre: Centre) -> bool:
    """Say whether the Cancel has left for everybody who must get it."""
    with centre.store() as conn:
        planned = conn.execute(text("SELECT stage FROM message WHERE kind = 'cancel'")).scalar() == "planned"
        left = conn.execute(
            text(
                "SELECT count(*) FROM delivery d JOIN message m ON m.no = d.message_no "
                "WHERE m.kind = 'cancel' AND d.evidence = 0 AND d.state = 'open'"
            )
        ).scalar()
    return planned and left == 0


def _repeats_say_so(centre: Centre) -> None:
    """DESIGN §11, 5: whoever got a message twice was told that the second is a repeat."""
    heard: set[tuple[str, str]] = set()
    for letter in centre.out():
        key = (letter["message_id"], letter["recipient"])
        assert key not in heard or "（重发）" in letter["text"] or "(repeat)" in letter["text"], letter
        heard.add(key)
