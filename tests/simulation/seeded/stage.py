"""The stage of a scenario: the store, the far ends, and daemons that start, die at any step, and come back."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from tests.simulation.seeded.ground import INHABITED, WallClock, settings_and_files, store_of
from tests.simulation.seeded.judge import Judge
from tests.simulation.seeded.loudspeakers import Broker, Loudspeaker
from tests.simulation.seeded.providers import AskedWire, Mailboxes, Phones, Provider, PublicWire, Wire, World
from tests.simulation.seeded.store import Access, Store
from tests.simulation.virtual import VirtualLoop, simulated
from tests.simulation.world import ANSWER_KEY
from warnd.channel import Channel, Context
from warnd.clock import Clock
from warnd.daemon import Daemon
from warnd.daemon.worker import Identity, Worker, store_clock
from warnd.model.evidence import Evidence
from warnd.settings import Settings

T = TypeVar("T")
_PATIENCE_S = 20.0  # A client's, for one answer.
_START_S = 5.0  # In which a daemon may fail for want of a store and be started again by whoever watches over it.


@dataclass(slots=True)
class Life:
    """One daemon from its start to its end.

    Attributes:
        clock: Its machine's.
        daemon: None until it is built.
        wires: Its connections; cut when it dies.
    """

    name: str
    access: Access
    clock: WallClock
    began_s: float
    daemon: Daemon | None = None
    wires: list[Wire] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Cast:
    """What a scenario is played with, drawn from its seed.

    Attributes:
        county: Which of the counties.
        workers: How many daemons share the store; 1 = one alone.
        moods: Channel -> mood of its provider.
        asked: The SMS gateway can be asked what became of a text.
    """

    county: int
    workers: int
    moods: dict[str, str]
    asked: bool


@dataclass(slots=True)
class Stage:
    """Everything that a scenario happens on.

    Attributes:
        story: What happened, in lines for people.
        disturbed_s: When something last kept daemons from claiming what is due.
    """

    seed: int
    cast: Cast
    loop: VirtualLoop
    group: asyncio.TaskGroup
    story: list[str] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)
    starts: int = 0
    disturbed_s: float = 0.0
    clock: WallClock = field(init=False)
    judge: Judge = field(init=False)
    store: Store = field(init=False)
    world: World = field(init=False)
    providers: dict[str, Provider] = field(init=False)
    broker: Broker = field(init=False)
    tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = WallClock(self.loop)
        self.judge = Judge(self.clock, self.tell)
        self.store = Store(
            store_of(self.cast.county),
            self.dice("store"),
            self.clock,
            ended=self.judge.ended,
            broken=self.judge.complain,
        )
        self.world = World(self.judge, self.dice("world"), self.spawn)
        self.broker = Broker("mqtt", Evidence.PRESENTED, self.world, self.cast.moods["mqtt"])
        self.broker.speakers = [Loudspeaker(f"term-{code}", code, self.world) for code in INHABITED]
        self.providers = {
            "sms": Phones("sms", Evidence.ACKNOWLEDGED, self.world, self.cast.moods["sms"]),
            "email": Mailboxes("email", Evidence.ACKNOWLEDGED, self.world, self.cast.moods["email"]),
            "mqtt": self.broker,
            "web": Provider("web", Evidence.ACCEPTED, self.world, "human"),
        }

    def dice(self, purpose: str) -> Random:
        """Return a stream of chance of its own, so that one part's needs do not change another's luck."""
        return Random(f"{self.seed} {purpose}")

    def tell(self, what: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.loop.time():8.3f}  {what}")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen beside everything else."""
        self.tasks.append(self.group.create_task(work))

    # ---- daemons -----------------------------------------------------------------------------------------------------------------

    def start(self, name: str, *, steps: int | None = None) -> None:
        """Start a daemon under this name; with `steps` it dies after so many steps at the store."""
        self.starts += 1
        writer = f"{name}-{self.starts}"
        access = Access(self.store, dies=lambda where: self.kill(name, where=where), steps=steps)
        life = Life(writer, access, self._machine(), self.loop.time())
        self.lives[name] = life
        self.disturbed()
        self.tell(f"{writer} starts" + ("" if steps is None else f", to die after {steps} steps"))
        life.task = self.group.create_task(self._live(name, life))

    def _machine(self) -> WallClock:
        """Return the clock of the machine that a daemon runs on: the store's own where there is one daemon, else another's."""
        if self.cast.workers == 1:
            return self.clock
        clock, dice = WallClock(self.loop), self.dice(f"machine {self.starts}")
        clock.ahead = timedelta(seconds=dice.choice([0.0, 0.0, 0.7, -3.0, 3600.0, -3600.0]))
        clock.drift = dice.choice([0.0, 0.0, 0.01, -0.01])
        return clock

    async def _serve(self, life: Life) -> None:
        """Do what `warnd serve` does, on the daemon's own access and wires."""
        settings, files = settings_and_files()
        clock: Clock = life.clock
        worker = None
        if self.cast.workers > 1:
            clock = shared = await store_clock(life.access, life.clock)
            worker = Worker(life.access, shared, own=Identity(life.name.partition("-")[0], "1", life.name))
            await worker.join()
        life.daemon = Daemon(
            settings,
            ledger=life.access,
            clock=clock,
            chance=self.dice(life.name),
            writer=life.name,
            tag="sim",
            answer_key=ANSWER_KEY,
            files=files,
            public_url="http://127.0.0.1",
            alone=worker is None,
            worker=worker,
            build={channel: self._connect(channel, life.wires) for channel in self.providers},
        )
        await life.daemon.run()
        if worker is not None:
            await worker.leave()

    def _connect(self, channel: str, wires: list[Wire]) -> Callable[[Settings, Context], Channel]:
        def connect(_settings: Settings, context: Context) -> Channel:
            kind = AskedWire if channel == "sms" and self.cast.asked else PublicWire if channel == "web" else Wire
            wires.append(kind(self.providers[channel], context))
            return wires[-1]

        return connect

    async def _live(self, name: str, life: Life) -> None:
        try:
            await self._serve(life)
            self.tell(f"{life.name} has stopped")
        except asyncio.CancelledError:
            if not life.access.dead:
                raise
        except Exception as error:  # noqa: BLE001 - whatever it fell over is what the scenario is about
            self._fell(name, life, error)
        finally:
            life.access.dead = True
            for wire in life.wires:
                wire.hang_up()

    def _fell(self, name: str, life: Life, error: Exception) -> None:
        causes = list(_leaves(error))
        told = "; ".join(f"{type(one).__name__}: {one}" for one in causes)
        starting = self.loop.time() - life.began_s < _START_S
        if starting and all(isinstance(one, SQLAlchemyError) for one in causes):
            self.tell(f"{life.name} finds no store and ends")
            self.spawn(self._again(name))
        else:
            self.judge.complain(f"{life.name} fell: {told}")

    async def _again(self, name: str) -> None:
        await simulated(2.0)
        self.start(name)

    def kill(self, name: str, *, where: str = "") -> None:
        """End a daemon as kill -9 does: nothing of it goes on, what is committed stays."""
        life = self.lives.get(name)
        if life is None or life.access.dead:
            return
        self.tell(f"{life.name} is killed {where}".rstrip())
        life.access.dead = True
        for wire in life.wires:
            wire.hang_up()
        assert life.task is not None
        life.task.cancel()
        self.disturbed()

    async def stop(self, name: str) -> None:
        """End a daemon as SIGTERM does."""
        life = self.lives[name]
        if not life.access.dead and life.task is not None and life.daemon is not None:
            self.tell(f"{life.name} is told to stop")
            life.daemon.stop()
            began_s = self.loop.time()
            await asyncio.wait([life.task])
            if self.loop.time() - began_s > 10:
                self.judge.complain(f"{life.name} took {self.loop.time() - began_s:.1f} s to stop")

    def alive(self) -> list[Life]:
        """Return the daemons that live, in the order of their names."""
        return [life for _, life in sorted(self.lives.items()) if not life.access.dead]

    def serving(self) -> list[Daemon]:
        """Return the daemons that can be asked for something."""
        return [life.daemon for life in self.alive() if life.daemon is not None]

    def disturbed(self) -> None:
        """Note that for now nobody can be asked to be quick."""
        self.disturbed_s = self.loop.time()

    # ---- clients -----------------------------------------------------------------------------------------------------------------

    async def ask(self, what: Callable[[Daemon], Awaitable[T]], dice: Random) -> T:
        """Ask some daemon for something, and again until one answers: what a client does whose connection breaks."""
        while True:
            living = self.serving()
            if living:
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        return await what(dice.choice(living))
                except (SQLAlchemyError, TimeoutError):
                    pass
            await simulated(dice.uniform(0.5, 3.0))

    async def look(self, op: Callable[..., Any], **kwargs: Any) -> Any:
        """Read the store as it is, whatever its trouble."""
        return await self.store.ledger.read(op, **kwargs)


def _leaves(error: BaseException) -> "list[BaseException]":
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]
