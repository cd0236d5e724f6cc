"""One whole story in simulated time that takes every durable step: review, release, Update, Cancel, expiry, failures and silence.

`live` plays it from beginning to end and lets the daemon die wherever it is told to; the world outside lives on.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import event, text

from tests import invariants
from tests.crash.outside import BUSY, DEAD, LOST, OFF, Outside
from tests.crash.watched import Killed, Life
from tests.fakes.plans import one_plan
from tests.invariants import Standing, standing
from tests.simulation.county import VILLAGES, recipients_csv
from tests.simulation.documents import cancel_of, document, flood
from tests.simulation.virtual import START, LoopClock, VirtualLoop, run, simulated
from warnd.channel import Channel, Context
from warnd.daemon import Daemon, Files
from warnd.ledger import node
from warnd.ledger.store import InlineLedger, Ledger, open_engine
from warnd.model.authority import Principal
from warnd.model.evidence import Evidence
from warnd.model.submission import Fate, Submission, WrongState
from warnd.settings import Settings

_RESTART_S: Final = 1.0
_AGAIN_S: Final = 2.0
_PATIENCE_S: Final = 8.0
_SETTLE_S: Final = 16.0
_LONGEST_S: Final = 300.0
_TIME_TO_REACH_S: Final = 10.0
_STRENGTH: Final = {"sms": Evidence.ACKNOWLEDGED, "email": Evidence.ACKNOWLEDGED, "mqtt": Evidence.PRESENTED}
_REVIEWED: Final = Principal(name="desk", scope="submit")
_OPERATOR: Final = Principal(name="operator", scope="release")
_V: Final = VILLAGES

PLANS: Final = one_plan(
    """
name = "officers"
kind = "seats"
roles = ["information_officer"]
where = ["village"]
channels = ["sms", "email"]
parallel = true
proof = "acknowledged"
tries = 2
wait_s = 4
within_s = 6
""",
    """
name = "terminals"
kind = "terminals"
channels = ["mqtt"]
proof = "presented"
tries = 2
wait_s = 6
within_s = 20
""",
    """
name = "public"
kind = "public"
channels = ["sms"]
proof = "accepted"
tries = 1
wait_s = 4
""",
    cancel_tries=2,
    cancel_wait_s=4,
    within_s=6,
    terminal="both",
)


def people() -> str:
    """Return the story's people: officers of four villages, two of them with mail; loudspeakers in two; a household in each."""
    lines = recipients_csv(households=1, without_terminal=_V[2:], without_officer=_V[4:]).splitlines()
    rows = [line.split(",") for line in lines]
    email = rows[0].index("email")
    for row in rows[1:]:
        if row[0] in {f"officer-{_V[0]}", f"officer-{_V[1]}"}:
            row[email] = f"{row[0]}@qinghe.example"
    return "\n".join(",".join(row) for row in rows) + "\n"


BEHAVIOURS: Final = {
    "+8613800000001": OFF,
    "+8613800000002": LOST,
    "+8613700000000": BUSY,
    "+8613700010000": DEAD,
}


class Points(list[tuple[str, ...]]):
    """The durable steps of a run in their order, and the trap that lets the daemon die right before some of them."""

    def __init__(self, kills: Sequence[int]) -> None:
        super().__init__()
        self._kills = list(kills)
        self.died_before: list[tuple[str, ...]] = []

    def before(self, names: Sequence[str]) -> None:
        if self._kills and len(self) == self._kills[0]:
            self._kills.pop(0)
            self.died_before.append(tuple(names))
            raise Killed
        self.append(tuple(names))

    def after(self, names: Sequence[str]) -> None:
        pass


@dataclass(slots=True)
class Lived:
    """What a run left.

    Attributes:
        points: The steps it took.
        answered: Answers that operators heard, in order.
        left: What stood in the store at each death.
    """

    points: Points
    outside: Outside
    ledger: Ledger
    answered: list[Submission] = field(default_factory=list)
    left: list[Standing] = field(default_factory=list)


@dataclass(slots=True)
class _Stage:
    clock: LoopClock
    settings: Settings
    files: Files
    url: str
    lived: Lived
    seed: int
    lives: int = 0
    born_at_s: float = 0.0
    answered_at_s: float = 0.0
    daemon: Daemon | None = None
    life: Life | None = None
    acted: asyncio.Event = field(default_factory=asyncio.Event)


def live(
    url: str,
    *,
    settings: Settings,
    files: Files,
    kills: Sequence[int] = (),
    check: Callable[[Lived], Awaitable[None]],
    seed: int = 7,
) -> Lived:
    """Play the story on the founded store at `url`, dying right before each of the steps numbered `kills`; then check what is left."""
    loop = VirtualLoop()

    async def whole() -> Lived:
        clock = LoopClock(loop)
        async with asyncio.TaskGroup() as world:
            outside = Outside(clock, world, dict(BEHAVIOURS))
            lived = Lived(Points(kills), outside, _opened(url))
            stage = _Stage(clock, settings, files, url, lived, seed)
            acting = world.create_task(_acts(stage))
            while not await _one_life(stage):
                await simulated(_RESTART_S)
            await acting
            await check(lived)
            await lived.ledger.close()
            return lived

    return run(whole(), loop)


class _Nobody(Exception):  # noqa: N818 - nobody is there to be asked
    pass


def _opened(url: str) -> InlineLedger:
    """Open a store whose commits need not outlive this machine: who dies here is the daemon alone."""
    engine = open_engine(url)

    def hurry(dbapi: Any, _record: Any) -> None:
        dbapi.execute("PRAGMA synchronous = OFF")

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", hurry)
    return InlineLedger(engine)


async def _one_life(stage: _Stage) -> bool:
    """Run one daemon until it dies or all is settled; return whether it is."""
    stage.lives += 1
    stage.born_at_s = stage.clock.monotonic()
    life = stage.life = Life(stage.lived.points)
    store = _opened(stage.url)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_serve(stage, life, life.watch(store)))
        settled = group.create_task(_settled(stage))
        died = group.create_task(life.over.wait())
        await asyncio.wait([serving, settled, died], return_when=asyncio.FIRST_COMPLETED)
        life.buried = True
        for task in (serving, settled, died):
            task.cancel()
    await store.close()
    if life.over.is_set():
        await _look(stage.lived)
    return not life.over.is_set()


async def _serve(stage: _Stage, life: Life, ledger: Ledger) -> None:
    """Start and run, as the daemon's process does."""
    chance = random.Random(f"{stage.seed}/{stage.lives}")
    tag = await ledger.write(node.tag, fresh="test")
    key = await ledger.write(node.answer_key, fresh=bytes(range(32)))
    stage.daemon = Daemon(
        stage.settings,
        ledger=ledger,
        clock=stage.clock,
        chance=chance,
        writer=f"writer-{stage.lives}",
        tag=tag,
        answer_key=key,
        files=stage.files,
        public_url="http://127.0.0.1",
        build={name: _building(stage, name, life) for name in _STRENGTH},
    )
    await stage.daemon.run()


def _building(stage: _Stage, name: str, life: Life) -> Callable[[Settings, Context], Channel]:
    return lambda _settings, _context: stage.lived.outside.wire(name, _STRENGTH[name], life)


async def _settled(stage: _Stage) -> None:
    """Return when everything that people do is done, every receipt is confirmed, and time has passed for what is still to come."""
    await stage.acted.wait()
    while stage.lived.outside.owed:
        assert stage.clock.monotonic() < _LONGEST_S, "some receipts are never confirmed"
        await simulated(1.0)
    await simulated(_SETTLE_S)


async def _look(lived: Lived) -> None:
    await lived.ledger.read(invariants.check)
    lived.left.append(await lived.ledger.read(standing))


# ---- what people do ------------------------------------------------------------------------------------------------------------------

_FIRST = flood(identifier="QH-1", codes=(_V[0], _V[1], _V[4]), life=timedelta(minutes=30))
_SECOND = replace(
    flood(
        identifier="QH-2", codes=(_V[0], _V[2], _V[3]), sent=START + timedelta(seconds=5), life=timedelta(minutes=30)
    ),
    msg_type="Update",
    references=cancel_of(_FIRST).references,
)
_OLDER = replace(
    flood(identifier="QH-1b", codes=(_V[0],), sent=START + timedelta(seconds=1), life=timedelta(minutes=30)),
    msg_type="Update",
    references=cancel_of(_FIRST).references,
)
_SHORT = flood(identifier="QH-3", level="blue", codes=(_V[3],), life=timedelta(seconds=20))
_STRANGE = flood(identifier="QH-4", codes=("000000000000",), life=timedelta(minutes=30))
_COMES_LATE = flood(identifier="QH-5", codes=(_V[2],), life=timedelta(minutes=30))
_QUIET = flood(identifier="QH-6", level="yellow", codes=(_V[5],), life=timedelta(minutes=30))


async def _acts(stage: _Stage) -> None:
    """Do what operators and sending offices do; whoever hears no answer asks again."""
    for terminal in (f"term-{_V[0]}", f"term-{_V[1]}"):
        stage.lived.outside.switch_on(terminal)
    first = await _answer(stage, _submit(document(_FIRST), _REVIEWED))
    await _answer(stage, _approve(first))
    await _answer(stage, _submit(document(_SHORT)))
    await _answer(stage, _submit(b"<no-cap/>"))
    await _calm(stage)
    await _answer(stage, _submit(document(_SECOND)))
    await _answer(stage, _submit(document(_OLDER)))
    strange = await _answer(stage, _submit(document(_STRANGE)))
    await _answer(stage, _reject(strange))
    await _answer(stage, _submit(document(cancel_of(_COMES_LATE))))
    await _answer(stage, _submit(document(_COMES_LATE)))
    await _answer(stage, _submit(document(_QUIET)))
    await _calm(stage)
    await _answer(stage, _submit(document(cancel_of(_SECOND, sent=START + timedelta(seconds=20)))))
    stage.acted.set()


Asking = Callable[[Daemon], Awaitable[Submission]]


def _submit(body: bytes, by: Principal = _OPERATOR) -> Asking:
    return lambda daemon: daemon.desk.submit(body, by=by)


def _approve(about: Submission) -> Asking:
    return lambda daemon: daemon.desk.approve(str(about.warning_id), by=_OPERATOR)


def _reject(about: Submission) -> Asking:
    return lambda daemon: daemon.desk.reject(str(about.warning_id), by=_OPERATOR, reason="no such place")


async def _calm(stage: _Stage) -> None:
    """Return when everybody who waits for the version that stands has had time to get it."""
    while stage.clock.monotonic() < max(stage.born_at_s, stage.answered_at_s) + _TIME_TO_REACH_S:
        await simulated(0.5)


async def _answer(stage: _Stage, asking: Asking) -> Submission:
    """Ask until an answer comes."""
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await _asked(stage, asking)
        except (TimeoutError, _Nobody):
            await simulated(_AGAIN_S)


async def _asked(stage: _Stage, asking: Asking) -> Submission:
    daemon, life = stage.daemon, stage.life
    if daemon is None or life is None or life.over.is_set():
        raise _Nobody
    try:
        answer = await asking(daemon)
    except WrongState:  # It was done, and only the answer was lost.
        answer = Submission(Fate.SAME)
    await life.act("answer: submitter", lambda: stage.lived.answered.append(answer))
    stage.answered_at_s = stage.clock.monotonic()
    return answer


async def rows(ledger: Ledger, statement: str) -> list[tuple[object, ...]]:
    """Return what a query finds."""
    return await ledger.read(lambda conn: [tuple(row) for row in conn.execute(text(statement))])
