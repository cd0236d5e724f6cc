"""One real centre and its villages: `warnd serve`, mosquitto, and `warnd terminal run` as processes, in the simulated county's places.

Only the voice is ours: an `espeak-ng` that says everything in a moment and writes down what it was given to say.
"""

import asyncio
import json
import os
import stat
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import Connection, text

from tests.fakes.broker import Broker, running_broker
from tests.fakes.loudspeaker import LIVE_KEY, key
from tests.fakes.served import Served, serving
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import document
from tests.stores import reading, store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.authority import Scope
from warnd.model.cap import Alert
from warnd.model.loudspeaker import LIVE_ROOT, TrustedKey, private_key_pem, public_bytes, trust_text

WAIT_S = 30.0
DAEMON_USER = "warnd"
STRANGER = "T-9999"  # May log in at the broker, and is in no directory.

_PLANS = """
[[plan]]
name = "any"
hazards = ["*"]
levels = ["red", "orange", "yellow", "blue"]
statuses = ["Actual"]
cancel_tries = 2
cancel_wait_s = 5

[plan.village]
terminal = "either"
bare = "officer"
within_s = {within_s}

[plan.loudspeaker]
repeat = 1

[[plan.audience]]
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
channels = ["sms"]
proof = "acknowledged"
tries = 1
wait_s = 60
within_s = {within_s}

[[plan.audience]]
name = "terminals"
kind = "terminals"
channels = ["mqtt"]
proof = "presented"
tries = {tries}
wait_s = 1
within_s = {within_s}
"""
_SETTINGS = """
plans_file = "plans.toml"
node.languages = ["zh", "en"]
store.url = "{store}"
http.listen = "127.0.0.1:{http}"
intake.watch_dir = "watched"
sms.spool.dir = "spool"

[mqtt]
port = {mqtt}
username = "warnd"
password_file = "mqtt-password"
signing_key_file = "live.pem"
"""


def terminal_of(village: str) -> str:
    """Return the id of the loudspeaker of one of the county's villages."""
    return f"term-{village}"


def password_of(user: str) -> str:
    """Return what a user of the broker logs in with."""
    return f"secret-of-{user}"


@dataclass(frozen=True, slots=True)
class Countryside:
    """One centre's home, its broker, and its daemon, which runs."""

    folder: Path
    broker: Broker
    served: Served

    @property
    def url(self) -> str:
        """The daemon's address."""
        return self.served.url

    @property
    def said(self) -> str:
        """All that any loudspeaker was given to say."""
        path = self.folder / "said.txt"
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def log(self) -> str:
        """What the daemon wrote about itself."""
        return (self.folder / "serve.log").read_text("utf-8")

    def store(self) -> AbstractContextManager[Connection]:
        """Read the store beside the daemon."""
        return reading(store_url(self.folder))

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds in the store."""
        with self.store() as conn:
            return [tuple(row) for row in conn.execute(text(statement), values)]

    async def ask(self, path: str, **query: str | int) -> Any:
        """Return a document of the API, read with the release token."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10.0) as client:
            answer = await client.get(path, params=query, headers=bearer("release"))
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, body: bytes, *, scope: str = "release") -> httpx.Response:
        """Bring a document in."""
        headers = bearer(scope) | {"Content-Type": "application/cap+xml"}
        async with httpx.AsyncClient(base_url=self.url, timeout=10.0) as client:
            return await client.post("/api/v1/warnings", content=body, headers=headers)

    async def release(self, alert: Alert) -> str:
        """Release a warning or Cancel and return its id."""
        answer = await self.post(document(alert))
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    async def until(self, look: Callable[[], Awaitable[object]], *, timeout_s: float = WAIT_S) -> None:
        """Return when `look` finds something."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout_s
        while not await look():
            assert loop.time() < give_up_at, f"still nothing after {timeout_s:g} s: {look}\n{self.log[-3000:]}"
            next_look = loop.time() + 0.05
            await until(lambda: loop.time() >= next_look)  # noqa: B023 - awaited in this round

    async def until_terminal(self, one: str, **expected: object) -> None:
        """Return when `GET /terminals` shows this of a loudspeaker."""

        async def shown() -> bool:
            found = (await self.ask("/api/v1/terminals", limit=1000))["terminals"]
            return any(row["id"] == one and expected.items() <= row.items() for row in found)

        await self.until(shown)

    @asynccontextmanager
    async def client(self, user: str) -> AsyncIterator[aiomqtt.Client]:
        """Log in at the broker as somebody, who forgets everything afterwards."""
        async with aiomqtt.Client(
            self.broker.host,
            self.broker.port,
            username=user,
            password=password_of(user),
            protocol=aiomqtt.ProtocolVersion.V5,
        ) as client:
            yield client

    async def publish(self, user: str, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish anything as somebody; return when the broker has taken it."""
        async with self.client(user) as client:
            expiry = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
            expiry.MessageExpiryInterval = 600
            await client.publish(topic, payload, qos=1, retain=retain, properties=expiry)

    @asynccontextmanager
    async def loudspeaker(self, village: str, *more: str) -> AsyncIterator["asyncio.subprocess.Process"]:
        """Run the real terminal of a village for as long as the block lasts, always on the same state folder; `more` are options."""
        one = terminal_of(village)
        log = (self.folder / f"{one}.log").open("ab")
        command = ["terminal", "run", "--silent", "--id", one, "--region", village, *more]
        command += [
            "--broker",
            f"mqtt://{self.broker.host}:{self.broker.port}",
            "--trust",
            str(self.folder / "trust.json"),
        ]
        command += ["--key", str(self.folder / f"{one}.pem"), "--state", str(self.folder / f"state-{one}")]
        env = os.environ | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "WARND_TERMINAL_PASSWORD": password_of(one),
        }
        with log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "warnd", *command, env=env, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    def takes_to_say(self, seconds: float) -> None:
        """From now on every loudspeaker needs this long for whatever it says."""
        _write_sound(self.folder / "next.wav", lasts_s=seconds)
        (self.folder / "next.wav").replace(self.folder / "sound.wav")

    def heard(self, village: str) -> str:
        """Return what the terminal of a village wrote about itself."""
        return (self.folder / f"{terminal_of(village)}.log").read_text("utf-8")


def bearer(scope: str) -> dict[str, str]:
    """Return the header that carries the token of a scope."""
    return {"Authorization": f"Bearer {token_of(scope)}"}


def token_of(scope: str) -> str:
    """Return the token of a scope."""
    return f"countryside-{scope}-token"


@asynccontextmanager
async def countryside(
    folder: Path,
    *,
    tries: int = 2,
    within_s: int = 3600,
    villages: tuple[str, ...] = VILLAGES[:3],
    more_settings: str = "",
) -> AsyncIterator[Countryside]:
    """Found a centre whose first villages have loudspeakers, and run its broker and its daemon."""
    port = free_port()
    users = {one: password_of(one) for one in (DAEMON_USER, STRANGER, *map(terminal_of, villages))}
    with running_broker(folder, users=users) as broker:
        _write_settings(folder, http=port, mqtt=broker.port, plans=_PLANS.format(within_s=within_s, tries=tries))
        config = folder / "warnd.toml"
        config.write_text(more_settings + config.read_text("utf-8"), "utf-8")
        _write_keys(folder, villages)
        _write_voice(folder)
        await asyncio.to_thread(_found, folder, villages)
        async with serving(config, port=port, log=folder / "serve.log") as served:
            yield Countryside(folder, broker, served)


def _write_settings(folder: Path, *, http: int, mqtt: int, plans: str) -> None:
    (folder / "plans.toml").write_text(plans, "utf-8")
    (folder / "mqtt-password").write_text(password_of(DAEMON_USER), "utf-8")
    (folder / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    (folder / "warnd.toml").write_text(_SETTINGS.format(http=http, mqtt=mqtt, store=store_url(folder)), "utf-8")


def _write_keys(folder: Path, villages: tuple[str, ...]) -> None:
    trusted = TrustedKey(public_key=public_bytes(LIVE_KEY), root=LIVE_ROOT, regions=None, not_after=None)
    (folder / "trust.json").write_text(trust_text([trusted]), "utf-8")
    for village in villages:
        pem = private_key_pem(key(100 + VILLAGES.index(village)))
        (folder / f"{terminal_of(village)}.pem").write_bytes(pem)


def _write_voice(folder: Path) -> None:
    """Put a program in the place of espeak-ng: everything takes it a tenth of a second to say."""
    sound = folder / "sound.wav"
    _write_sound(sound, lasts_s=0.1)
    program = folder / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{{ cat; echo; }} >> '{folder / 'said.txt'}'\ncat '{sound}'\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def _write_sound(path: Path, *, lasts_s: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(bytes(2 * round(22_050 * lasts_s)))


def _found(folder: Path, villages: tuple[str, ...]) -> None:
    url = store_url(folder)
    without = tuple(village for village in VILLAGES if village not in villages)
    found(url, folder, clock=SystemClock(), recipients=recipients_csv(households=1, without_terminal=without))
    engine = open_engine(url)
    scopes: tuple[Scope, ...] = ("submit", "release", "read")
    with engine.begin() as conn:
        for scope in scopes:
            told = {"senders": (), "region": None, "now": SystemClock().now()}
            create(conn, token_hash=hashed(token_of(scope)), scope=scope, **told)  # type: ignore[arg-type] # as named
    engine.dispose()


async def captured(centre: Countryside, user: str, topic: str, *, trigger: Callable[[], Awaitable[object]]) -> bytes:
    """Return the first payload published on a topic after `trigger`, read with somebody's own rights at the broker."""
    async with centre.client(user) as client:
        await client.subscribe(topic, qos=1)
        await trigger()
        async with asyncio.timeout(WAIT_S):
            async for message in client.messages:
                if not message.retain:  # Else it stood there before.
                    assert isinstance(message.payload, bytes)
                    return message.payload
    raise AssertionError(f"the broker closed before anything came on {topic}")


def state(one: str, **changed: object) -> str:
    """Return a well-formed state of a loudspeaker."""
    told = {
        "v": 1,
        "terminal": one,
        "online": True,
        "boot_id": "boot-by-hand",
        "uptime_s": 5,
        "heartbeat_s": 30,
        "playing": None,
        "volume": 50,
        "amplifier": "unknown",
        "clock": "synced",
        "firmware": "by hand",
        "last_message": None,
        "at": "2026-07-01T00:00:00Z",
    }
    return json.dumps(told | changed)
