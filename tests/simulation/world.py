"""The whole daemon in simulated time: real flows, real ledger, and channels whose other side is a script.

Phones and loudspeakers here are the other side of a channel; nothing of ours is replaced.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from starlette.routing import BaseRoute

from channels.sms.fleet import Fleet
from tests import invariants, stores
from tests.simulation.county import found
from tests.simulation.virtual import START, LoopClock, VirtualLoop, simulated
from warnd.channel import (
    NOT_STARTED,
    Accepted,
    Channel,
    Context,
    Finding,
    Outcome,
    Outgoing,
    Playback,
    Receipt,
    ReceiptSink,
    Reply,
    Report,
    Sender,
    Unknown,
)
from warnd.daemon import Daemon, read_files
from warnd.ledger.store import Ledger, open_inline
from warnd.model import cap
from warnd.model.authority import Principal
from warnd.model.cap import Alert
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate, Submission
from warnd.settings import Settings, load

ANSWER_KEY = bytes(range(32))
OPERATOR = Principal(name="operator", scope="release")
Act = Callable[["Outgoing", "Wire"], Awaitable[Outcome]]
Tell = Callable[[str], Awaitable[Outcome]]
Shake = Callable[[Ledger], Ledger]


def unshaken(ledger: Ledger) -> Ledger:
    """Leave the ledger as it is."""
    return ledger


@dataclass(slots=True)
class Wire:
    """One simulated provider: what went over it, and how its other side answers.

    Attributes:
        act: Gives the outcome of a try and may bring receipts, now or later.
    """

    name: str
    strongest: Evidence
    act: Act
    sent: list[Outgoing] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    down: str | None = None
    sink: ReceiptSink | None = None
    _later: list[asyncio.Task[Any]] = field(default_factory=list)

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        for index, outgoing in enumerate(batch):
            if asyncio.get_running_loop().time() > outgoing.start_by:
                yield index, NOT_STARTED
                continue
            self.sent.append(outgoing)
            self.at_s.append(asyncio.get_running_loop().time())
            yield index, await self.act(outgoing, self)

    async def run(self, sink: ReceiptSink) -> None:
        self.sink = sink
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return self.down

    async def bring(self, receipt: Receipt, *, after_s: float = 0.0) -> None:
        """Bring a receipt in after a while, without keeping the sender waiting."""

        async def later() -> None:
            await simulated(after_s)
            assert self.sink is not None
            await self.sink(receipt)

        self._group.create_task(later())

    _group: asyncio.TaskGroup = field(init=False)


@dataclass(slots=True)
class AskedWire(Wire):
    """A provider that can be asked what became of an attempt.

    Attributes:
        asked: Attempts it was asked about, in order.
    """

    tell: Tell = field(kw_only=True)
    asked: list[str] = field(default_factory=list)

    async def find(self, attempt: str) -> Outcome:
        self.asked.append(attempt)
        return await self.tell(attempt)


@dataclass(slots=True)
class SentBy(AskedWire):
    """One of several gateways behind one channel."""

    async def probe(self) -> Sequence[Finding]:
        return [Finding("wire", self.down)]


async def _nobody_knows(_attempt: str) -> Outcome:
    return Unknown("no record")


@dataclass(slots=True)
class World:
    """A running daemon and everything around it."""

    daemon: Daemon
    ledger: Ledger
    clock: LoopClock
    phones: Wire
    speakers: Wire
    folder: Path
    mail: Wire | None = None
    gateways: Mapping[str, Wire] = field(default_factory=dict)

    async def query(self, statement: str, **values: Any) -> list[Any]:
        """Read rows straight from the store."""

        def op(conn: Connection) -> list[Any]:
            return list(conn.execute(text(statement), values))

        return await self.ledger.read(op)

    async def until(self, condition: Callable[[], Awaitable[Any]], *, within_s: float = 3600.0) -> None:
        """Let simulated time pass until `condition` holds."""
        until = self.clock.monotonic() + within_s
        while not await condition():
            assert self.clock.monotonic() < until, "did not come about in simulated time"
            await simulated(0.25)

    async def one(self, statement: str, **values: Any) -> Any:
        """Read the only column of the only row."""
        rows = await self.query(statement, **values)
        assert len(rows) == 1, rows
        return rows[0][0]

    async def submit(self, alert: Alert, *, by: Principal = OPERATOR) -> Submission:
        """Bring a warning to the desk."""
        return await self.daemon.desk.submit(cap.write(alert), by=by)

    async def release(self, alert: Alert) -> str:
        """Bring in a warning that goes out; return its id."""
        submission = await self.submit(alert)
        assert submission.fate is Fate.RELEASED, submission
        assert submission.warning_id is not None
        return submission.warning_id

    async def planned(self, warning_id: str) -> None:
        """Let simulated time pass until a warning is planned whole."""

        async def done() -> bool:
            return bool(await self.query("SELECT 1 FROM message WHERE id = :id AND stage = 'planned'", id=warning_id))

        await self.until(done, within_s=60)

    async def state(self, warning_id: str) -> str:
        """Return the state of a warning."""
        found: str = await self.one("SELECT state FROM warning WHERE id = :id", id=warning_id)
        return found

    async def delivery(self, warning_id: str, recipient: str) -> Any:
        """Return the row of one recipient's delivery."""
        rows = await self.query(
            "SELECT d.*, m.closed_as FROM delivery d JOIN message m ON m.no = d.message_no JOIN recipient r ON r.no = d.recipient_no "
            "WHERE m.id = :id AND r.id = :recipient",
            id=warning_id,
            recipient=recipient,
        )
        assert len(rows) == 1, rows
        return rows[0]

    async def village(self, warning_id: str, code: str) -> Any:
        """Return the row of one targeted village."""
        rows = await self.query(
            "SELECT t.* FROM target t JOIN message m ON m.no = t.message_no WHERE m.id = :id AND t.code = :code",
            id=warning_id,
            code=code,
        )
        assert len(rows) == 1, rows
        return rows[0]

    def texts_to(self, recipient: str) -> list[Outgoing]:
        """Return what went to one person's phone, in order."""
        return [each for each in self.phones.sent if each.recipient == recipient]

    async def check_invariants(self) -> None:
        """Hold the store to what must always be true of it (DESIGN §11)."""
        await self.ledger.read(invariants.check)

    def leave_behind(self, folder: Path) -> None:
        """Put the store into `folder` as kill -9 would leave it now: what is committed, and nothing else."""
        folder.mkdir()
        stores.copy(self.folder, folder)


async def accepts(_outgoing: Outgoing, _wire: Wire) -> Outcome:
    """A provider that takes everything and never says more."""
    return Accepted("taken")


async def obedient_phone(outgoing: Outgoing, wire: Wire) -> Outcome:
    """A phone that reports delivery after 2 s and whose owner answers with the digit after 20 s."""
    at = wire_now(wire)
    await wire.bring(Report("sms", outgoing.attempt, Evidence.DELIVERED, at=at + timedelta(seconds=2)), after_s=2)
    said = outgoing.texts[0].text
    if "回复" in said or "Reply" in said:
        digit = next(character for character in reversed(said) if character.isdigit())
        await wire.bring(Reply("sms", outgoing.address, digit, at=at + timedelta(seconds=20)), after_s=20)
    return Accepted("gateway")


def wire_now(_wire: Wire) -> Any:
    """Return simulated wall time inside a provider."""
    return LoopClock(asyncio.get_running_loop()).now()


def speakers_of(villages: Sequence[str], *, play_s: float = 30.0) -> Act:
    """Loudspeakers `term-<village>` that receive at once and have played after `play_s`; stops are obeyed."""
    count: dict[str, int] = {}

    async def act(outgoing: Outgoing, wire: Wire) -> Outcome:
        kind, _, target = outgoing.address.partition(":")
        meant = [
            v for v in villages if (kind == "region" and v.startswith(target.rstrip("0"))) or target == f"term-{v}"
        ]
        for village in meant:
            for stage, after in (
                (("received", 1.0), ("played", play_s)) if outgoing.message.verb == "play" else (("stopped", 1.0),)
            ):
                terminal = f"term-{village}"
                count[terminal] = count.get(terminal, 0) + 1
                await wire.bring(playback(outgoing, terminal, stage, n=count[terminal]), after_s=after)
        return Accepted("broker")

    return act


def playback(outgoing: Outgoing, terminal: str, stage: Any, *, n: int, **changed: Any) -> Playback:
    """Return a verified receipt as the channel would bring it."""
    usual: dict[str, Any] = {
        "channel": "mqtt",
        "drill": outgoing.message.drill,
        "terminal": terminal,
        "boot_id": "boot-1",
        "n": n,
        "message_id": outgoing.message.id,
        "seq": outgoing.message.seq,
        "stage": stage,
        "pass_done": 1 if stage == "played" else 0,
        "played_ms": 30_000 if stage == "played" else 0,
        "amplifier": "ok",
        "reason": None,
        "at": None,
    }
    return Playback(**(usual | changed))


_CONFIG = """
node.languages = ["zh", "en"]
store.url = "{store}"
sms.spool.dir = "spool"
intake.levels."*" = { Extreme = "red", Severe = "orange", Moderate = "yellow", Minor = "blue" }
"""


def settings_for(folder: Path, more: str = "") -> Settings:
    """Return the settings of a county whose store lies in `folder`; `more` is further TOML."""
    config = folder / "warnd.toml"
    config.write_text(_CONFIG.replace("{store}", stores.store_url(folder)) + more, encoding="utf-8")
    return load(config, {})


@asynccontextmanager
async def running(
    folder: Path,
    *,
    loop: VirtualLoop,
    phones: Act = obedient_phone,
    speakers: Act = accepts,
    seed: int = 7,
    recipients: str | None = None,
    regions: str | None = None,
    settings: Settings | None = None,
    start: datetime = START,
    shaken: Shake = unshaken,
    tell: Tell | None = None,
    mail: Act | None = None,
    gateways: Mapping[Sender, Act] | None = None,
) -> AsyncIterator[World]:
    """Run the daemon on a fresh county until the block ends; `start` is the wall clock at simulated second 0."""
    clock = LoopClock(loop, start)
    chosen = settings or settings_for(folder)
    found(chosen.store.url, folder, clock=clock, recipients=recipients, regions=regions)
    async with resumed(
        folder,
        loop=loop,
        phones=phones,
        speakers=speakers,
        seed=seed,
        settings=chosen,
        start=start,
        shaken=shaken,
        tell=tell,
        mail=mail,
        gateways=gateways,
    ) as world:
        yield world


@asynccontextmanager
async def resumed(
    folder: Path,
    *,
    loop: VirtualLoop,
    phones: Act = obedient_phone,
    speakers: Act = accepts,
    seed: int = 7,
    settings: Settings | None = None,
    start: datetime = START,
    shaken: Shake = unshaken,
    tell: Tell | None = None,
    mail: Act | None = None,
    gateways: Mapping[Sender, Act] | None = None,
) -> AsyncIterator[World]:
    """Run a daemon on the store that is there.

    `shaken` may put a ledger in between that fails at times; `tell` makes a gateway that can be asked; `mail` a second
    channel, which plans must name; `gateways` stand in place of `phones`, behind one channel.
    """
    clock = LoopClock(loop, start)
    chosen = settings or settings_for(folder)
    ledger = shaken(open_inline(chosen.store.url))
    wires = {
        "sms": Wire("sms", Evidence.ACKNOWLEDGED, phones)
        if tell is None
        else AskedWire("sms", Evidence.ACKNOWLEDGED, phones, tell=tell),
        "mqtt": Wire("mqtt", Evidence.PRESENTED, speakers),
    }
    if mail is not None:
        wires["email"] = Wire("email", Evidence.ACKNOWLEDGED, mail)
    by_sender = {
        sender: SentBy("sms", Evidence.ACKNOWLEDGED, act, tell=_nobody_knows)
        for sender, act in (gateways or {}).items()
    }
    daemon = Daemon(
        chosen,
        ledger=ledger,
        clock=clock,
        chance=random.Random(seed),
        writer=f"writer-{seed}-{loop.time():.3f}",  # Fresh for each start.
        tag="test",
        answer_key=ANSWER_KEY,
        files=read_files(chosen),
        public_url="http://127.0.0.1",
        build={name: _build(wire) for name, wire in wires.items()}
        | ({} if gateways is None else {"sms": partial(_fleet, by_sender)}),
    )
    world = World(daemon, ledger, clock, wires["sms"], wires["mqtt"], folder, wires.get("email"))
    world.gateways = {sender.name: wire for sender, wire in by_sender.items()}
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        await asyncio.sleep(0)
        yield world
        daemon.stop()
    await ledger.close()


def _fleet(ways: Mapping[Sender, SentBy], _settings: Settings, context: Context) -> Channel:
    return Fleet(list(ways.items()), context)


def _build(wire: Wire) -> Callable[[Settings, Context], Channel]:
    return lambda _settings, _context: wire
