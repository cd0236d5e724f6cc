"""A county of any number of loudspeakers: a real broker with the shipped rights, a real daemon, and the fleet in this process."""

import asyncio
import hashlib
import random
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, text

from tests.fakes.broker import Broker, running_broker
from tests.fakes.loudspeaker import LIVE_KEY
from tests.fakes.plans import one_plan
from tests.fakes.served import Served, serving
from tests.fleet.speaker import Fleet, Speaker
from tests.ports import free_port
from tests.simulation.county import COUNTY, found
from tests.simulation.documents import document, flood
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.loudspeaker import LIVE_ROOT, TrustedKey, private_key_pem, public_bytes, public_key_text, trust_of

DAEMON_PASSWORD = "centre"
_TOKEN = "fleet-token"
_VILLAGES_IN_TOWNSHIP = 100
_FILES_BESIDE_SOCKETS = 500
_SETTINGS = """
plans_file = "plans.toml"
node.languages = ["zh", "en"]
store.url = "{store}"
http.listen = "127.0.0.1:{http}"
log.level = "warning"

[mqtt]
port = {mqtt}
username = "warnd"
password_file = "mqtt-password"
signing_key_file = "live.pem"
"""
_PLANS = one_plan(
    """
name = "terminals"
kind = "terminals"
channels = ["mqtt"]
proof = "presented"
tries = 3
wait_s = 60
within_s = 3600
""",
    cancel_tries=2,
    cancel_wait_s=60,
    within_s=3600,
)


def village(number: int) -> str:
    """Return the code of a village; a hundred lie in each township."""
    return f"519999{number // _VILLAGES_IN_TOWNSHIP + 1:03d}{number % _VILLAGES_IN_TOWNSHIP + 1:03d}"


def terminal_of(number: int) -> str:
    """Return the id of the loudspeaker of a village."""
    return f"T-{number:05d}"


def key_of(number: int) -> Ed25519PrivateKey:
    """Return the loudspeaker's own key."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(terminal_of(number).encode()).digest())


@dataclass(slots=True)
class County:
    """The whole of it while it runs."""

    folder: Path
    broker: Broker
    served: Served
    speakers: list[Speaker]

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds in the daemon's store."""
        with _reading(self.folder) as conn:
            return [tuple(row) for row in conn.execute(text(statement), values)]

    def number(self, statement: str, **values: object) -> int:
        """Return the one number that a query finds."""
        return int(self.rows(statement, **values)[0][0])

    async def release(self, **changed: Any) -> str:
        """Release a red warning for the whole county; return its id."""
        alert = flood(sent=SystemClock().now().replace(microsecond=0), **changed)
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/cap+xml"}
        async with httpx.AsyncClient(base_url=self.served.url, timeout=30.0) as client:
            answer = await client.post("/api/v1/warnings", content=document(alert), headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    async def shown_offline(self) -> list[str]:
        """Return the terminals that the daemon's API shows as offline."""
        found: list[str] = []
        cursor: str | None = None
        async with httpx.AsyncClient(base_url=self.served.url, timeout=30.0) as client:
            while True:
                query = {"limit": "1000"} | ({} if cursor is None else {"cursor": cursor})
                answer = await client.get(
                    "/api/v1/terminals", params=query, headers={"Authorization": f"Bearer {_TOKEN}"}
                )
                page = answer.raise_for_status().json()
                found += [row["id"] for row in page["terminals"] if not row["online"]]
                cursor = page["cursor"]
                if cursor is None:
                    return found

    def outstanding(self) -> int:
        """Return how many loudspeakers keep a receipt that the daemon has not confirmed."""
        return sum(bool(speaker.outbox) for speaker in self.speakers)

    def online(self) -> int:
        """Return how many loudspeakers are connected."""
        return sum(speaker.online for speaker in self.speakers)


def _reading(folder: Path) -> "_Reading":
    return _Reading(folder)


class _Reading:
    """One look into the store beside the daemon."""

    def __init__(self, folder: Path) -> None:
        self._engine = open_engine(store_url(folder), begin="BEGIN")

    def __enter__(self) -> Connection:
        self._conn = self._engine.connect()
        return self._conn

    def __exit__(self, *_: object) -> None:
        self._conn.close()
        self._engine.dispose()


@asynccontextmanager
async def county(folder: Path, *, count: int, pass_s: float, heartbeat_s: int = 30) -> AsyncIterator[County]:
    """Found a county, and run its broker, its daemon and `count` loudspeakers, one in each village.

    Args:
        folder: For everything.
        count: Of villages and loudspeakers, up to 90,000.
        pass_s: How long a whole pass takes.
        heartbeat_s: Seconds between two states of a loudspeaker.
    """
    allow_files(count + _FILES_BESIDE_SOCKETS)
    chance = random.Random(count)
    passwords = {terminal_of(number): f"{chance.getrandbits(64):x}" for number in range(count)}
    with running_broker(folder, users={"warnd": DAEMON_PASSWORD, **passwords}, verbose=False) as broker:
        port = free_port()
        await asyncio.to_thread(_found, folder, count=count, http=port, mqtt=broker.port)
        async with (
            serving(folder / "warnd.toml", port=port, log=folder / "serve.log") as served,
            asyncio.TaskGroup() as tasks,
        ):
            fleet = Fleet(
                host=broker.host,
                port=broker.port,
                trust=trust_of([TrustedKey(public_key=public_bytes(LIVE_KEY), root=LIVE_ROOT, regions=("519999",))]),
                clock=SystemClock(),
                chance=chance,
                tasks=tasks,
                pass_s=pass_s,
                heartbeat_s=heartbeat_s,
            )
            speakers = [
                Speaker(fleet, terminal=name, region=village(number), key=key_of(number), password=password)
                for number, (name, password) in enumerate(passwords.items())
            ]
            found_county = County(folder, broker, served, speakers)
            try:
                await _switch_on(found_county, within_s=count / 1000)
                yield found_county
            finally:
                for speaker in speakers:
                    speaker.end()


async def _switch_on(here: County, *, within_s: float) -> None:
    for speaker in here.speakers:
        speaker.start(within_s=within_s)
    await until(lambda: here.online() == len(here.speakers), timeout_s=60)
    alive = "SELECT count(*) FROM terminal_state WHERE online = 1 AND drill = 0"
    await until_seldom(lambda: here.number(alive) == len(here.speakers), timeout_s=60)


async def until_seldom(condition: Any, *, timeout_s: float) -> None:
    """Return when `condition()` holds, looking only now and then: each look costs the processes that are being watched."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + timeout_s
    while not condition():
        assert loop.time() < give_up_at, f"still not true after {timeout_s:g} s"
        next_look = loop.time() + 0.2
        await until(lambda: loop.time() >= next_look)  # noqa: B023 - awaited in this round


def allow_files(count: int) -> None:
    """Let this process, and the broker that it starts, have so many sockets.

    Raises:
        AssertionError: The machine does not allow it; the text says what to do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, (
        f"at most {hard} open files here; `ulimit -Hn {count}` first"
    )
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _found(folder: Path, *, count: int, http: int, mqtt: int) -> None:
    (folder / "plans.toml").write_text(_PLANS, "utf-8")
    (folder / "mqtt-password").write_text(DAEMON_PASSWORD, "utf-8")
    (folder / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    (folder / "warnd.toml").write_text(_SETTINGS.format(http=http, mqtt=mqtt, store=store_url(folder)), "utf-8")
    url, clock = store_url(folder), SystemClock()
    found(url, folder, clock=clock, regions=_regions(count), recipients=_recipients(count))
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=clock.now())
    engine.dispose()


def _regions(count: int) -> str:
    rows = ["code,name,tier,parent,lat,lon,population", f"{COUNTY},清河县,county,,30.0,103.0,"]
    townships = dict.fromkeys(village(number)[:9] for number in range(count))
    rows += [f"{code},{code}镇,township,519999,30.0,103.0," for code in townships]
    rows += [f"{village(number)},{number}村,village,{village(number)[:9]},30.0,103.0,300" for number in range(count)]
    return "\n".join(rows) + "\n"


def _recipients(count: int) -> str:
    rows = ["id,kind,name,region,public_key"]
    rows += [
        f"{terminal_of(number)},terminal,喇叭{number},{village(number)},{public_key_text(key_of(number))}"
        for number in range(count)
    ]
    return "\n".join(rows) + "\n"
