"""Several real `warnd serve` processes on one private PostgreSQL database, in the simulated county; each may be stopped or killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from sqlalchemy import Connection, Engine, text

from tests import postgresql
from tests.fakes.loudspeaker import LIVE_KEY
from tests.fakes.plans import one_plan
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.cap import Alert
from warnd.model.loudspeaker import private_key_pem

PLANS = one_plan(
    """
name = "public"
kind = "public"
channels = ["sms"]
proof = "accepted"
tries = 1
wait_s = 2
within_s = 3600
""",
    cancel_tries=1,
    cancel_wait_s=2,
    within_s=3600,
)
_TOKEN = "workers-token"
_START_S = 45.0
_numbers = count(1)


class Call(NamedTuple):
    """One text in the moment in which its network call began."""

    at: float
    attempt: str
    repeated: bool
    message_id: str


@dataclass(slots=True)
class One:
    """One worker."""

    name: str
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    log: Path
    calls_file: Path

    def calls(self) -> list[Call]:
        """Return the texts that it began to send."""
        if not self.calls_file.exists():
            return []
        rows = (line.split() for line in self.calls_file.read_text("utf-8").splitlines())
        return [Call(float(at), attempt, repeated == "1", message) for at, attempt, repeated, message in rows]

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def release(self, alert: Alert) -> str:
        """Release a warning here; return its id."""
        answer = await self.http.post(
            "/api/v1/warnings", content=document(alert), headers={"Content-Type": "application/cap+xml"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@dataclass(slots=True)
class Centre:
    """Their store, and a look into it."""

    folder: Path
    url: str
    engine: Engine
    _stack: AsyncExitStack
    workers: dict[str, One] = field(default_factory=dict)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Return what a query finds in the store."""
        with self.engine.begin() as conn:
            return list(conn.execute(text(statement), values))

    def number(self, statement: str, **values: Any) -> int:
        """Return the one number that a query finds."""
        return int(self.rows(statement, **values)[0][0] or 0)

    def check(self, rule: Any) -> None:
        """Hold the store to a rule about its tables."""
        with self.engine.begin() as conn:
            rule(conn)

    def calls(self) -> list[Call]:
        """Return the texts that all of them began to send, in the order of time."""
        return sorted(call for one in self.workers.values() for call in one.calls())

    async def start(
        self,
        name: str,
        settings: str,
        program: Sequence[str],
        *,
        public_url: str = "http://127.0.0.1",
        tree: Path | None = None,
    ) -> One:
        """Start a worker, without waiting until it answers.

        Args:
            name: In the store and of its files.
            settings: Beside store, node, http and plans.
            public_url: The one address of all workers.
            tree: Of another version than this one.
            program: What runs it, as in `python -m PROGRAM`; "{config}" and "{calls}" stand for its files.
        """
        port, config = free_port(), self.folder / f"{name}.toml"
        calls, log = self.folder / f"{name}.calls", self.folder / f"{name}.log"
        config.write_text(
            f'plans_file = "plans.toml"\n[store]\nurl = "{self.url}"\n[node]\nworker = "{name}"\nlanguages = ["zh", "en"]\n'
            f'[http]\nlisten = "127.0.0.1:{port}"\npublic_url = "{public_url}"\n{settings}',
            "utf-8",
        )
        words = [word.format(config=config, calls=calls) for word in program]
        env = {key: value for key, value in os.environ.items() if not key.startswith("WARND_")}
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *words, stdout=out, stderr=out, env=env, cwd=tree
            )
        http = await self._stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=15
            )
        )
        one = self.workers[name] = One(name, process, http, log, calls)
        return one

    async def all_answer(self) -> None:
        """Return when every worker that was started answers."""
        async with asyncio.timeout(_START_S):
            await asyncio.gather(*(_answering(one) for one in self.workers.values()))


async def _answering(one: One) -> None:
    while one.process.returncode is None:
        try:
            await one.http.get("/healthz")
        except httpx.TransportError:
            await asyncio.sleep(0)
        else:
            return
    raise AssertionError(one.log.read_text("utf-8")[-3000:])


@asynccontextmanager
async def centre(folder: Path, *, households: int) -> AsyncIterator[Centre]:
    """Make a database with the county in it; whoever was started is killed at the end."""
    name = f"workers{next(_numbers)}"
    postgresql.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
    async with centre_at(
        f"postgresql://postgres@127.0.0.1:{postgresql.port()}/{name}", folder, households=households
    ) as made:
        yield made
    postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def centre_at(url: str, folder: Path, *, households: int) -> AsyncIterator[Centre]:
    """Bring the county into an empty database; whoever was started is killed at the end."""
    (folder / "plans.toml").write_text(PLANS, "utf-8")
    people = recipients_csv(households=households, without_terminal=VILLAGES[1:])
    await asyncio.to_thread(found, url, folder, clock=SystemClock(), recipients=people)
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
    async with AsyncExitStack() as stack:
        made = Centre(folder, url, engine, stack)
        try:
            yield made
        finally:
            for one in made.workers.values():
                if one.process.returncode is None:
                    one.process.send_signal(signal.SIGCONT)
                    one.process.kill()
                await one.process.wait()
            engine.dispose()


def stub(folder: Path) -> str:
    """Return the settings of a worker whose texts go to the stub."""
    return f'[sms]\nprovider = "spool"\nspool.dir = "{folder / "spool"}"\nrate_per_s = 1000\nconcurrency = 10\n'


def loudspeakers(folder: Path, *, port: int, password: str) -> str:
    """Return the settings that connect a worker to a broker."""
    (folder / "mqtt-password").write_text(password, "utf-8")
    (folder / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    return (
        f'[mqtt]\nport = {port}\nusername = "warnd"\npassword_file = "mqtt-password"\nsigning_key_file = "live.pem"\n'
    )


async def several(made: Centre, skews: dict[str, float], *, latency_s: float, more: str = "") -> None:
    """Start workers with the stub whose machines' clocks are off by so many seconds."""
    for name, skew_s in skews.items():
        program = ["tests.fakes.stub_worker", "{config}", str(latency_s), str(skew_s), "{calls}"]
        await made.start(name, stub(made.folder) + more, program)
    await made.all_answer()


def under_way(conn: Connection, name: str) -> int:
    """Return how many tries of a worker are under way."""
    return int(
        conn.execute(
            text(
                "SELECT count(*) FROM leg WHERE state = 'submitting' AND owner = (SELECT writer FROM worker WHERE name = :name)"
            ),
            {"name": name},
        ).scalar_one()
    )


__all__ = ["Call", "Centre", "One", "centre", "centre_at", "loudspeakers", "several", "stub", "under_way", "until"]
