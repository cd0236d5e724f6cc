"""A whole centre around a real daemon that is killed again and again: spool, mail server, mosquitto, phones, readers and loudspeakers.

Rounds of warnings go through it: reviewed and released, updated, cancelled, short-lived, refused. What it is judged by at the end is the
store it leaves, and what phones, mailboxes and loudspeakers heard.
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
from aiosmtpd.smtp import SMTP
from sqlalchemy import Connection, text

from tests.crash.judge import Tally
from tests.crash.serve import Point, Served, start
from tests.fakes.broker import running_broker
from tests.fakes.email_server import Fault, Server, Taken, always, cutting, running_server
from tests.fakes.loudspeaker import LIVE_KEY, key
from tests.fleet.speaker import Fleet, Speaker
from tests.invariants import Standing, check, never_fell, standing
from tests.ports import free_port
from tests.simulation.county import VILLAGES, found, recipients_csv
from tests.simulation.documents import cancel_of, document, flood
from tests.stores import reading, store_url
from tests.waiting import until
from warnd.cli.demo.handsets import Behaviour, Handsets
from warnd.clock import SystemClock
from warnd.ledger.store import open_engine
from warnd.ledger.tokens import create, hashed
from warnd.model.cap import Alert
from warnd.model.loudspeaker import LIVE_ROOT, TrustedKey, private_key_pem, public_bytes, trust_of

_V: Final = VILLAGES
_SPEAKERS: Final = _V[:3]
_DESK, _OPERATOR = "desk-token", "operator-token"
_OFF: Final = "+8613800000001"  # An officer of whose phone nothing is ever heard: a deadline passes.
_PASSWORD: Final = "of this test"
_HEARD_WITHIN_S: Final = 8.0  # Longer than a try of unknown fate waits before it is repeated.
_REPEAT: Final = ("（重发）", "(repeat)")

SETTINGS: Final = """
plans_file = "plans.toml"
node.languages = ["zh", "en"]
store.url = "{store}"
http.listen = "127.0.0.1:{port}"
sms.spool.dir = "spool"
sms.rate_per_s = 60
log.level = "warning"

[email]
host = "127.0.0.1"
port = {mail}
start_tls = false
sender = "warn@county.example"
timeout_s = 3

[mqtt]
port = {mqtt}
username = "warnd"
password_file = "mqtt-password"
signing_key_file = "live.pem"
"""


class Phones(Handsets):
    """Phones that remember what they put into `in/`."""

    def __init__(self, spool: Path, **how: Any) -> None:
        super().__init__(spool, **how)
        self.brought: dict[str, dict[str, Any]] = {}

    def _write(self, name: str, document: dict[str, Any]) -> None:
        super()._write(name, document)
        self.brought[name] = document


@dataclass(slots=True)
class Centre:
    """See the module.

    Attributes:
        deaths: How often the daemon was killed; `idle` of these while nothing was under way or waiting.
        accepted: Ids of warnings that somebody was told are kept.
        heard_within_s: For which a version is left alone before the next one comes.
    """

    folder: Path
    url: str
    port: int
    mail: Server
    phones: Phones
    speakers: list[Speaker]
    served: Served | None = None
    deaths: int = 0
    idle: int = 0
    accepted: set[str] = field(default_factory=set)
    seen: Standing | None = None
    heard_within_s: float = _HEARD_WITHIN_S
    _rounds: Iterator[int] = field(default_factory=lambda: count(1))

    def store(self) -> AbstractContextManager[Connection]:
        """Read the store beside the daemon, or after it."""
        return reading(self.url)

    async def start(self, point: Point | None = None, *, wait: bool = True) -> Served:
        """Start the daemon; it may die at once. Return when it serves, without `wait` before that."""
        self.served = await start(self.folder / "warnd.toml", log=self.folder / "serve.log", point=point, wait=wait)
        return self.served

    def look(self) -> None:
        """Check what a dead daemon left, and that nothing fell since the last look."""
        with self.store() as conn:
            check(conn)
            now = standing(conn)
            if self.seen is not None:
                never_fell(self.seen, now)
            self.seen = now
            self.idle += not _busy(conn)

    def quiet(self) -> bool:
        """Say whether everything that was begun has come to its end."""
        if any(speaker.outbox for speaker in self.speakers) or any((self.folder / "spool" / "in").glob("*.json")):
            return False
        with self.store() as conn:
            return not _busy(conn)

    # What people do.

    async def rounds(self, enough: Callable[[], bool]) -> None:
        """Bring rounds of warnings in until there are enough."""
        while not enough():
            await self.one_round(next(self._rounds))

    async def one_round(self, number: int) -> None:
        """Bring everything in that a centre gets; whoever hears no answer asks again."""
        sent = SystemClock().now().replace(microsecond=0)
        first = flood(identifier=f"R{number}-1", codes=_V[:3], sent=sent, life=timedelta(hours=3))
        second = _update(first, f"R{number}-2", codes=(_V[0], _V[3]))
        older = replace(_update(first, f"R{number}-1b", codes=_V[:1]), sent=sent)
        short = flood(identifier=f"R{number}-3", level="blue", codes=(_V[4],), sent=sent, life=timedelta(seconds=4))
        strange = flood(identifier=f"R{number}-4", codes=("000000000000",), sent=sent)
        late = flood(identifier=f"R{number}-5", codes=(_V[5],), sent=sent, life=timedelta(hours=3))
        reviewed = await self._bring(first, token=_DESK)
        await self._decide(f"{reviewed}/approve")
        await self._post("", document(short))  # Refused once it has outlived itself on the way.
        await self._post("", b"<no-cap/>")
        await self._decide(f"{await self._bring(strange)}/reject", {"reason": "no such place"})
        await self._answered(f"R{number}-1")
        await self._bring(second)
        await self._bring(older)
        await self._bring(cancel_of(late))
        await self._bring(late)
        await self._answered(f"R{number}-2")
        await self._bring(cancel_of(second, sent=sent + timedelta(seconds=3)))

    async def _answered(self, identifier: str) -> None:
        """Return when everybody who should hear a warning has had it, or some seconds have passed."""
        loop = asyncio.get_running_loop()
        enough = loop.time() + self.heard_within_s
        await until(lambda: loop.time() >= enough or self._reached(identifier), timeout_s=30)

    def _reached(self, identifier: str) -> bool:
        with self.store() as conn:
            stage = conn.execute(
                text("SELECT m.stage FROM message m JOIN warning w ON w.id = m.id WHERE w.identifier = :name"),
                {"name": identifier},
            ).scalar()
            left = conn.execute(
                text(
                    "SELECT count(*) FROM delivery d JOIN message m ON m.no = d.message_no JOIN warning w ON w.id = m.id "
                    "WHERE w.identifier = :name AND d.evidence < 2 AND d.state = 'open'"
                ),
                {"name": identifier},
            ).scalar_one()
        return stage == "planned" and not left

    async def _bring(self, alert: Alert, *, token: str = _OPERATOR) -> str:
        answer = await self._post("", document(alert), token=token)
        warning_id = str(answer["id"])
        self.accepted.add(warning_id)
        return warning_id

    async def _decide(self, what: str, body: dict[str, str] | None = None) -> None:
        await self._post(f"/{what}", json.dumps(body or {}).encode(), kind="application/json")

    async def _post(self, path: str, body: bytes, *, token: str = _OPERATOR, kind: str = "application/cap+xml") -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        while True:
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5.0) as client:
                    answer = await client.post(f"/api/v1/warnings{path}", content=body, headers=headers)
            except httpx.TransportError:
                await until(lambda: self.served is not None and self.served.alive(), timeout_s=60)
                await _turn()
                continue
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                return answer.json()


async def _turn() -> None:
    """Let a moment pass before the same is asked again."""
    loop = asyncio.get_running_loop()
    later = loop.time() + 0.05
    await until(lambda: loop.time() >= later)


def _update(alert: Alert, identifier: str, *, codes: tuple[str, ...]) -> Alert:
    fresh = flood(identifier=identifier, codes=codes, sent=alert.sent + timedelta(seconds=2), life=timedelta(hours=3))
    return replace(fresh, msg_type="Update", references=cancel_of(alert).references)


def _busy(conn: Connection) -> bool:
    unplanned = "SELECT 1 FROM message WHERE closed_as IS NULL AND stage <> 'planned'"
    waiting = (
        "SELECT 1 FROM leg l JOIN message m ON m.no = l.message_no "
        "WHERE m.closed_as IS NULL AND l.state IN ('due', 'submitting', 'waiting')"
    )
    living = "SELECT 1 FROM warning WHERE state = 'dispatching'"
    return any(conn.execute(text(f"{each} LIMIT 1")).one_or_none() for each in (unplanned, waiting, living))


# ---- judging -------------------------------------------------------------------------------------------------------------------------


def judge(centre: Centre) -> Tally:
    """Hold what a centre left, when all is quiet, to everything that must be true of it, and count.

    Raises:
        AssertionError: Something is not true; the text names it.
    """
    centre.look()
    texts = _texts(centre.folder / "spool" / "out")
    with centre.store() as conn:
        lost = [*_forgotten(conn, centre), *_receipts_lost(conn, centre), *_unreached(conn), *_uncancelled(conn, texts)]
        assert not lost, lost
        warnings, deliveries = (_number(conn, f"SELECT count(*) FROM {table}") for table in ("warning", "delivery"))
        played = _number(conn, "SELECT count(*) FROM terminal_receipt")
        letters = [(_about(conn, one), one.recipient, _words(one)) for one in centre.mail.taken]
        commands = _number(
            conn,
            "SELECT count(*) FROM attempt a JOIN leg l ON l.no = a.leg_no WHERE l.channel = 'mqtt' AND a.state = 'accepted'",
        )
    repeats = _repeats([(one["message_id"], one["recipient"], one["text"]) for one in texts])
    mails = _repeats(letters)
    return Tally(
        deaths=centre.deaths,
        warnings=warnings,
        deliveries=deliveries,
        sent=len(texts) + len(centre.mail.taken) + commands,
        repeats=len(repeats) + len(mails),
        said=len(repeats) + len(mails),
        confirmed=len(centre.phones.brought) + played,
    )


def _texts(out: Path) -> list[dict[str, str]]:
    files = sorted(out.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def _forgotten(conn: Connection, centre: Centre) -> list[Any]:
    kept = set(conn.execute(text("SELECT id FROM warning")).scalars())
    return [("a warning that was accepted", one) for one in sorted(centre.accepted - kept)]


def _receipts_lost(conn: Connection, centre: Centre) -> list[Any]:
    """Return what phones brought and nobody keeps: the daemon took every file away, which says that it has it."""
    kept = {
        (row.attempt, row.part)
        for row in conn.execute(text("SELECT attempt, part FROM receipt WHERE attempt IS NOT NULL"))
    }
    answers = [row.address for row in conn.execute(text("SELECT address FROM receipt WHERE kind = 'reply'"))]
    lost = [
        one for one in centre.phones.brought.values() if "attempt" in one and (one["attempt"], one["part"]) not in kept
    ]
    missing = [one for one in centre.phones.brought.values() if "from" in one and answers.count(one["from"]) == 0]
    numbered = text("SELECT terminal, max(n) AS last, count(*) AS n FROM terminal_receipt GROUP BY terminal, boot_id")
    gaps = [(row.terminal, row.last) for row in conn.execute(numbered) if row.n != row.last]
    return [*lost, *missing, *gaps]


def _unreached(conn: Connection) -> list[Any]:
    """Return deliveries of messages that were not withdrawn which nobody heard although there was somebody to hear them."""
    rows = conn.execute(
        text(
            "SELECT m.id, d.no, l.address FROM delivery d JOIN message m ON m.no = d.message_no JOIN leg l ON l.delivery_no = d.no "
            "WHERE d.evidence = 0 AND m.closed_as IS NULL ORDER BY d.no"
        )
    )
    return [("nobody heard", *row) for row in rows]


def _uncancelled(conn: Connection, texts: list[dict[str, str]]) -> list[Any]:
    """Return whoever got a version of a cancelled chain by text and not its Cancel."""
    chains = {row.id: (row.chain_id, row.kind) for row in conn.execute(text("SELECT id, chain_id, kind FROM message"))}
    got: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in texts:
        chain, kind = chains[one["message_id"]]
        got[chain, kind].add(one["recipient"])
    cancelled = {chain for chain, kind in chains.values() if kind == "cancel"}
    untold = {chain: got[chain, "warning"] - got[chain, "cancel"] for chain in cancelled}
    return [("no Cancel for", chain, sorted(people)) for chain, people in sorted(untold.items()) if people]


def _repeats(sent: list[tuple[str, str, str]]) -> list[str]:
    """Return texts of messages that their recipient had before; each must say so."""
    heard: set[tuple[str, str]] = set()
    repeats: list[str] = []
    for message_id, recipient, words in sent:
        if (message_id, recipient) in heard:
            assert any(mark in words for mark in _REPEAT), ("a repeat that does not say so", recipient, words)
            repeats.append(words)
        heard.add((message_id, recipient))
    return repeats


def _about(conn: Connection, taken: Taken) -> str:
    """Return the message that a mail belongs to: its Message-ID begins with our attempt, "<mark>-<leg>-<number>"."""
    leg = int(str(taken.mail["Message-ID"]).split("-")[1])
    found = text("SELECT m.id FROM leg l JOIN message m ON m.no = l.message_no WHERE l.no = :leg")
    return str(conn.execute(found, {"leg": leg}).scalar_one())


def _words(taken: Taken) -> str:
    body = taken.mail.get_body(("plain",))
    return f"{taken.mail['Subject']}\n{body.get_content() if body is not None else ''}"


def _number(conn: Connection, statement: str) -> int:
    return int(conn.execute(text(statement)).scalar_one())


# ---- founding ------------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def centre(folder: Path, *, plans: str, store: Path | None = None) -> AsyncIterator[Centre]:
    """Found a centre and everything around it; the daemon itself is not started, and ended at exit.

    Its store lies in `store`, by default with everything else.
    """
    users = {"warnd": _PASSWORD, **{f"term-{code}": _PASSWORD for code in _SPEAKERS}}
    with running_broker(folder, users=users, verbose=False) as broker:
        async with running_server(folder, tls=False, login=False) as mail, asyncio.TaskGroup() as tasks:
            port, url = free_port(), store_url(store or folder)
            (folder / "plans.toml").write_text(plans, "utf-8")
            (folder / "mqtt-password").write_text(_PASSWORD, "utf-8")
            (folder / "live.pem").write_bytes(private_key_pem(LIVE_KEY))
            (folder / "warnd.toml").write_text(
                SETTINGS.format(store=url, port=port, mail=mail.port, mqtt=broker.port), "utf-8"
            )
            _found(url, folder)  # Not in threads: two migrations at once share what Alembic keeps for the process.
            mail.faults = {
                "RCPT": _now_and_then(always("450 4.7.1 later"), of=4),
                "END": _now_and_then(cutting(), of=5),
            }
            phones = _phones(folder)
            made = Centre(folder, url, port, mail, phones, _switched_on(broker.port, tasks))
            ringing = tasks.create_task(phones.run())
            try:
                yield made
            finally:
                if made.served is not None and made.served.alive():
                    await made.served.stop()
                for speaker in made.speakers:
                    speaker.end()
                ringing.cancel()


def _now_and_then(fault: Fault, *, of: int) -> Fault:
    """Return a fault that strikes every so many times."""
    times = count(1)

    async def struck(smtp: SMTP, about: str) -> str | None:
        return await fault(smtp, about) if next(times) % of == 0 else None

    return struck


def _found(url: str, folder: Path) -> None:
    lines = recipients_csv(
        households=2, without_terminal=tuple(code for code in _V if code not in _SPEAKERS)
    ).splitlines()
    rows = [line.split(",") for line in lines]
    email = rows[0].index("email")
    for row in rows:
        if row[0] in {f"officer-{_V[0]}", f"officer-{_V[3]}"}:
            row[email] = f"{row[0]}@qinghe.example"
    found(url, folder, clock=SystemClock(), recipients="\n".join(",".join(row) for row in rows) + "\n")
    engine = open_engine(url)
    with engine.begin() as conn:
        anybody: dict[str, Any] = {"senders": (), "region": None, "now": SystemClock().now()}
        create(conn, token_hash=hashed(_DESK), scope="submit", **anybody)
        create(conn, token_hash=hashed(_OPERATOR), scope="release", **anybody)
    engine.dispose()


def _phones(folder: Path) -> Phones:
    people = Behaviour(report_after_s=(0.05, 0.4), answer_after_s=(0.1, 0.8), twice=0.2)
    off = Behaviour(reports=False, answers=False)
    how = {"clock": SystemClock(), "random": random.Random(5), "behaviours": {_OFF: off, _OFF.removeprefix("+86"): off}}
    return Phones(folder / "spool", otherwise=people, **how)


def _switched_on(port: int, tasks: asyncio.TaskGroup) -> list[Speaker]:
    live = TrustedKey(public_key=public_bytes(LIVE_KEY), root=LIVE_ROOT, regions=("519999",))
    fleet = Fleet(
        host="127.0.0.1",
        port=port,
        trust=trust_of([live]),
        clock=SystemClock(),
        chance=random.Random(3),
        tasks=tasks,
        pass_s=0.5,
        heartbeat_s=2,
    )
    speakers = [
        Speaker(fleet, terminal=f"term-{code}", region=code, key=key(100 + _V.index(code)), password=_PASSWORD)
        for code in _SPEAKERS
    ]
    for speaker in speakers:
        speaker.start(within_s=0.2)
    return speakers
