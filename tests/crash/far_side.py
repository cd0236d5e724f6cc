"""Every fault of the other side, on every kind of other side: what becomes of the tries, and that nobody else has to wait.

A real daemon, a real broker, a mail server, Twilio's fake and a message centre, each behind a line that fails.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import Engine, text

from tests.crash.line import FAULTS, Fault, Line
from tests.crash.serve import start
from tests.fakes.broker import running_broker
from tests.fakes.email_server import running_server
from tests.fakes.loudspeaker import LIVE_KEY
from tests.fakes.plans import one_plan
from tests.fakes.sms_smpp import CentreSide
from tests.fakes.sms_smpp import harness as smpp
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER, fake_twilio
from tests.fleet.centre import until_seldom
from tests.invariants import check
from tests.ports import free_port
from tests.simulation.county import COUNTY, VILLAGES, found, recipients_csv
from tests.simulation.documents import cancel_of, document, flood
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.cap import Alert
from warnd.model.loudspeaker import private_key_pem

SIDES: Final[Mapping[str, str]] = {"broker": "mqtt", "mail server": "email", "Twilio": "sms", "message centre": "sms"}
"""Kind of other side -> the channel that it carries."""

_GATEWAYS: Final = ("Twilio", "message centre")
_TIMEOUT_S: Final = 2.0
_OTHERS_WITHIN_S: Final = 20.0
_TRIED_WITHIN_S: Final = 40.0
_REACHED_WITHIN_S: Final = 90.0
_LOOK_S: Final = 0.2
_AT_ONCE: Final = 4  # Offices; more of them and a server that is well answers late, too.
_NO_TRY_S: Final = 4.0  # After which a channel that says it cannot send is believed to have tried nothing.
_LAST_DOT: Final = b"\r\n.\r\n"  # Before it nothing has left, and a fault shows little (tests/test_email_send.py).
_TOKEN, _PASSWORD = "operator-token", "of this test"

_PLANS: Final = one_plan(
    """
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
channels = ["sms", "email"]
proof = "accepted"
tries = 1
wait_s = 2
""",
    """
name = "terminals"
kind = "terminals"
channels = ["mqtt"]
proof = "accepted"
tries = 1
wait_s = 2
""",
    cancel_tries=1,
    cancel_wait_s=2,
    within_s=600,
)
_SETTINGS: Final = """
plans_file = "plans.toml"
node.languages = ["zh", "en"]
store.url = "{store}"
http.listen = "127.0.0.1:{port}"
log.level = "warning"

[email]
host = "127.0.0.1"
port = {mail}
start_tls = false
sender = "warn@county.example"
timeout_s = {timeout_s}

[mqtt]
port = {mqtt}
username = "warnd"
password_file = "mqtt-password"
signing_key_file = "live.pem"
timeout_s = {timeout_s}

"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one fault on one other side showed.

    Attributes:
        tries: What became of the tries made while the fault was there, "failed" and "unknown", by how many.
        told: What /readyz said of it; empty where it said nothing, as of a server that answers, though too late.
        repeats: Tries after such as may have arrived; each says so.
        unreached: Whoever heard nothing in the end.
    """

    side: str
    fault: Fault
    tries: Mapping[str, int]
    told: str
    repeats: int
    unreached: int


@dataclass(slots=True)
class Office:
    """One daemon with its lines."""

    url: str
    engine: Engine
    lines: dict[str, Line]
    number: int = 0
    cells: list[Cell] = field(default_factory=list)

    async def well(self) -> None:
        """Return when nothing keeps warnings from leaving."""
        async with httpx.AsyncClient(base_url=self.url, timeout=15.0) as client:
            while not (await client.get("/readyz")).is_success:
                await _a_moment()

    async def suffer(self, side: str, fault: Fault) -> Cell:
        """Release a warning while one other side fails; return what became of it once the fault is over."""
        line, channel = self.lines[side], SIDES[side]
        self.number += 1
        alert = flood(
            identifier=f"F-{self.number}",
            codes=(COUNTY,),
            sent=SystemClock().now().replace(microsecond=0),
            life=timedelta(hours=1),
        )
        await self.well()
        struck = line.struck
        await line.fail(fault)
        warning_id = await self._bring(alert)
        await self._until(
            warning_id, f"l.channel <> '{channel}' AND l.evidence < 1 AND l.state <> 'done'", _OTHERS_WITHIN_S
        )
        told = await self._noticed(warning_id, channel)
        assert line.struck > struck, "the fault met nobody"
        await line.heal()
        await self._until(warning_id, f"l.channel = '{channel}' AND l.evidence < 1 AND p.no IS NULL", _REACHED_WITHIN_S)
        await self._until(warning_id, "p.no IS NOT NULL AND l.state <> 'done'", _REACHED_WITHIN_S)
        cell = Cell(
            side, fault, self._tries(warning_id, channel), told, self._repeats(warning_id), self._unreached(warning_id)
        )
        cancel_id = await self._bring(cancel_of(alert, sent=SystemClock().now().replace(microsecond=0)))
        await self._until(cancel_id, "l.evidence < 1 AND l.state <> 'done'", _REACHED_WITHIN_S)
        with self.engine.connect() as conn, conn.begin():
            check(conn)
        return cell

    async def _bring(self, alert: Alert) -> str:
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/cap+xml"}
        async with httpx.AsyncClient(base_url=self.url, timeout=15.0) as client:
            answer = await client.post("/api/v1/warnings", content=document(alert), headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    async def _noticed(self, warning_id: str, channel: str) -> str:
        """Return what operators are told of a channel, once a try has met the fault or the channel says that none can be made."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _TRIED_WITHIN_S
        async with httpx.AsyncClient(base_url=self.url, timeout=15.0) as client:
            while True:
                ready = (await client.get("/readyz")).json()
                lines = [*ready["problems"], *ready["degraded"]]
                told = next((line for line in lines if line.startswith(f"{channel}:")), "")
                if self._tries(warning_id, channel) or (
                    told and loop.time() > give_up_at - _TRIED_WITHIN_S + _NO_TRY_S
                ):
                    return told
                assert loop.time() < give_up_at, "nobody noticed the fault"
                await _a_moment()

    async def _until(self, warning_id: str, open_legs: str, within_s: float) -> None:
        """Return when the message is planned whole and has no such leg."""
        planned = f"SELECT count(*) FROM message WHERE id = '{warning_id}' AND stage = 'planned'"
        left = (
            "SELECT count(*) FROM leg l JOIN message m ON m.no = l.message_no LEFT JOIN publication p ON p.no = l.publication_no "
            f"WHERE m.id = '{warning_id}' AND {open_legs}"
        )
        await until_seldom(lambda: self._number(planned) == 1 and self._number(left) == 0, timeout_s=within_s)

    def _tries(self, warning_id: str, channel: str) -> Counter[str]:
        """Return what became of tries that did not succeed at once."""
        rows = self._rows(
            "SELECT a.state FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no "
            f"WHERE m.id = '{warning_id}' AND l.channel = '{channel}' AND (a.state IN ('failed', 'unknown') OR a.number > 1)"
        )
        return Counter(str(state) for (state,) in rows)

    def _repeats(self, warning_id: str) -> int:
        return self._number(
            "SELECT count(*) FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no "
            f"WHERE m.id = '{warning_id}' AND a.repeat = 1"
        )

    def _unreached(self, warning_id: str) -> int:
        return self._number(
            f"SELECT count(*) FROM delivery d JOIN message m ON m.no = d.message_no WHERE m.id = '{warning_id}' AND d.evidence = 0"
        )

    def _number(self, statement: str) -> int:
        return int(str(self._rows(statement)[0][0]))

    def _rows(self, statement: str) -> list[tuple[object, ...]]:
        with self.engine.connect() as conn, conn.begin():
            return [tuple(row) for row in conn.execute(text(statement))]


async def _a_moment() -> None:
    loop = asyncio.get_running_loop()
    next_look = loop.time() + _LOOK_S
    await until(lambda: loop.time() >= next_look)


@asynccontextmanager
async def office(folder: Path, *, gateway: str) -> AsyncIterator[Office]:
    """Run a daemon whose other sides all stand behind lines; texts go by "Twilio" or the "message centre"."""
    async with AsyncExitStack() as around:
        broker = around.enter_context(running_broker(folder, users={"warnd": _PASSWORD}, verbose=False))
        mail = await around.enter_async_context(running_server(folder, tls=False, login=False))
        ports = {"broker": broker.port, "mail server": mail.port}
        if gateway == "Twilio":
            site = await around.enter_async_context(fake_twilio())
            ports[gateway] = int(site.twilio.url.rpartition(":")[2])
        else:
            side = await around.enter_async_context(smpp().start(folder))
            assert isinstance(side, CentreSide)
            ports[gateway] = int(side.toml.partition("port = ")[2].split()[0])
        lines = {
            name: Line(port, late_s=_TIMEOUT_S * 1.5, once=_LAST_DOT if name == "mail server" else b"")
            for name, port in ports.items()
        }
        for line in lines.values():
            await line.open()
            around.push_async_callback(line.close)
        port, url = free_port(), store_url(folder)
        _write(folder, url, port, lines=lines)
        _found(url, folder)  # Not in threads: two migrations at once share what Alembic keeps for the process.
        served = await start(folder / "warnd.toml", log=folder / "serve.log")
        assert served.alive(), "it did not start; see serve.log"
        around.push_async_callback(served.stop)
        engine = open_engine(url, begin="BEGIN")
        around.callback(engine.dispose)
        here = Office(f"http://127.0.0.1:{port}", engine, lines)
        await here.well()
        yield here


def _write(folder: Path, url: str, port: int, *, lines: Mapping[str, Line]) -> None:
    (folder / "plans.toml").write_text(_PLANS, "utf-8")
    (folder / "mqtt-password").write_text(_PASSWORD, "utf-8")
    (folder / "password").write_text("secret", "utf-8")
    (folder / "token").write_text(AUTH_TOKEN, "utf-8")
    (folder / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
    values = {"mail": lines["mail server"].port, "mqtt": lines["broker"].port, "timeout_s": _TIMEOUT_S}
    sms = (
        f'[sms]\nprovider = "twilio"\n[sms.twilio]\naccount_sid = "{ACCOUNT_SID}"\nauth_token_file = "token"\nfrom = "{SENDER}"\n'
        f'base_url = "http://127.0.0.1:{lines["Twilio"].port}"\ntimeout_s = {_TIMEOUT_S}\n'
        if "Twilio" in lines
        else '[sms]\nprovider = "smpp"\n[sms.smpp]\nhost = "127.0.0.1"\nsystem_id = "county"\npassword_file = "password"\n'
        f"port = {lines['message centre'].port}\ntimeout_s = {_TIMEOUT_S}\nenquire_link_s = 0.5\n"
    )
    settings = _SETTINGS.format(store=url, port=port, **values).replace(
        "http.listen", 'http.public_url = "https://warn.example.org"\nhttp.listen'
    )
    (folder / "warnd.toml").write_text(settings + sms, "utf-8")


def _found(url: str, folder: Path) -> None:
    """Bring people in: officers of three villages by phone, of the others by mail; loudspeakers in three."""
    rows = [line.split(",") for line in recipients_csv(households=0, without_terminal=VILLAGES[3:]).splitlines()]
    phone, email = rows[0].index("phone"), rows[0].index("email")
    for row in rows:
        if row[0] in {f"officer-{code}" for code in VILLAGES[3:]}:
            row[phone], row[email] = "", f"{row[0]}@qinghe.example"
    found(url, folder, clock=SystemClock(), recipients="\n".join(",".join(row) for row in rows) + "\n")
    engine = open_engine(url)
    with engine.begin() as conn:
        create(conn, token_hash=hashed(_TOKEN), scope="release", senders=(), region=None, now=SystemClock().now())
    engine.dispose()


async def suffered(folder: Path, fault: Fault, *, gateway: str, turn: asyncio.Semaphore) -> list[Cell]:
    """Let each other side of one office suffer a fault, one after the other."""
    async with turn, office(folder, gateway=gateway) as here:
        sides = ["broker", "mail server", gateway] if gateway == "Twilio" else [gateway]
        return [await here.suffer(side, fault) for side in sides]


async def every_fault(folder: Path) -> list[Cell]:
    """Let every other side suffer every fault; some offices work side by side."""
    turn = asyncio.Semaphore(_AT_ONCE)
    offices = {
        folder / f"{gateway}-{fault}".replace(" ", "-"): (fault, gateway) for fault in FAULTS for gateway in _GATEWAYS
    }
    for home in offices:
        home.mkdir()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(suffered(home, fault, gateway=gateway, turn=turn))
            for home, (fault, gateway) in offices.items()
        ]
    return sorted(
        (cell for task in running for cell in task.result()), key=lambda cell: (cell.side, FAULTS.index(cell.fault))
    )
