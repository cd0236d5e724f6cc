"""Everything between a CAP document and a confirmed village: how the parts are run and stopped.

They are joined in `engine.py` (what delivers) and `entrances.py` (what lets in and shows).
"""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

import channels
from warnd import __version__
from warnd.bell import Bell
from warnd.channel import Beacon, Channel, Context
from warnd.clock import Clock
from warnd.daemon import entrances
from warnd.daemon.bequests import Bequests
from warnd.daemon.chores import chores
from warnd.daemon.engine import engine
from warnd.daemon.files import Files
from warnd.daemon.ground import Ground
from warnd.daemon.lifeline import Lifeline, Own
from warnd.daemon.worker import Worker
from warnd.dispatch.journal import Journal
from warnd.dispatch.lane import Lane
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.timetable import Timetable
from warnd.ledger import keys
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.settings import Settings

_LANES_END_S = (
    6.0  # After SIGTERM, for what is under way; with the server's grace it stays within the ten seconds allowed.
)


class Daemon:
    """One warnd: everything between a CAP document and a confirmed village, in one process."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        clock: Clock,
        chance: random.Random,
        writer: str,
        tag: str,
        answer_key: bytes,
        files: Files,
        public_url: str,
        alone: bool = True,
        worker: Worker | None = None,
        build: Mapping[str, channels.Build] = channels.CHANNELS,
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.clock = clock
        self.bell = Bell()
        self.registry = CollectorRegistry()
        self._writer = writer
        self._worker = worker
        self._stopping = asyncio.Event()
        ground = Ground(
            settings=settings,
            files=files,
            ledger=ledger,
            clock=clock,
            chance=chance,
            writer=writer,
            tag=tag,
            answer_key=answer_key,
            public_url=public_url,
            alone=alone,
            bell=self.bell,
            metrics=Metrics(self.registry),
        )
        self._metrics = ground.metrics
        self._bequests = Bequests(ledger, clock, bell=self.bell, worker=worker)
        self.channels = self._build_channels(build, chance)
        self.journal = Journal(ledger, bell=self.bell, writer=None if alone else writer)
        self._engine = engine(ground, self.channels, worker=worker, bury=self._bequests.bury)
        self.recorder, self.planner = self._engine.recorder, self._engine.planner
        self.lanes, self.watchdog = self._engine.lanes, self._engine.watchdog
        self.desk = entrances.desk(ground)
        self.folder = entrances.folder(ground, self.desk)
        self.timetable = Timetable(
            ledger,
            clock,
            jobs=chores(settings, ledger, clock, channels=self.channels),
            writer=writer,
            metrics=ground.metrics,
        )
        self.app = entrances.web(
            ground,
            self.channels,
            taking=self.desk,
            engine=self._engine,
            registry=self.registry,
            problems=self.problems,
            degraded=self.degraded,
        )

    def _build_channels(self, build: Mapping[str, channels.Build], chance: random.Random) -> dict[str, Channel]:
        context = Context(
            clock=self.clock,
            random=chance,
            terminal_key=self._terminal_key,
            announce=lambda _message_id: self.bell.ring(),
            forgotten=self._bequests.forgotten,
            older_keys=self._older_keys,
        )
        built = {name: make(self.settings, context) for name, make in build.items()}
        return {name: one for name, one in built.items() if one is not None}

    async def _terminal_key(self, terminal_id: str) -> bytes | None:
        now_ms = to_ms(self.clock.now())
        return await self.ledger.read(keys.current, terminal_id=terminal_id, now_ms=now_ms)

    async def _older_keys(self, terminal_id: str) -> Sequence[bytes]:
        return await self.ledger.read(keys.older, terminal_id=terminal_id, now_ms=to_ms(self.clock.now()))

    def _make_lifeline(self) -> Lifeline | None:
        """Return what speaks outward; None if nobody there wants to hear."""
        own, node = self.settings.alarms, self.settings.node
        if own.heartbeat_url is None and own.heartbeat_topic is None and own.url is None:
            return None
        beacon = next((one for one in self.channels.values() if isinstance(one, Beacon)), None)
        return Lifeline(
            Own(node=node.name, worker=node.worker or node.name, version=__version__, writer=self._writer),
            own,
            ledger=self.ledger,
            clock=self.clock,
            watchdog=self.watchdog,
            problems=lambda: [*self._broken(), *self._broken_channels()],
            publish=beacon.beat if beacon is not None else None,
        )

    def _broken_channels(self) -> list[str]:
        found = [(name, one.problem()) for name, one in self.channels.items()]
        return [f"{name}: {problem}" for name, problem in found if problem]

    def problems(self) -> list[str]:
        """Return what keeps the parts of the daemon from working, beside its channels, and what does not move."""
        return [*self._broken(), *(f"{one.part}: {one.says}" for one in self.watchdog.stalled())]

    def _broken(self) -> list[str]:
        parts = {
            "recorder": self.recorder.problem(),
            "planner": self.planner.problem(),
            "folder": self.folder.problem() if self.folder is not None else None,
        }
        parts |= {each.name: each.problem() for each in self._live_lanes()}
        return [f"{name}: {problem}" for name, problem in parts.items() if problem]

    def degraded(self) -> list[str]:
        """Return what fails in lanes although warnings leave by them."""
        told = {each.name: each.degraded() for each in self._live_lanes()}
        return [f"{name}: {trouble}" for name, trouble in told.items() if trouble]

    def _live_lanes(self) -> list[Lane]:
        return [each for each in self.lanes if each.name in self.channels]

    def stop(self) -> None:
        """Begin to stop: no more claims, what is under way is recorded, then everything ends."""
        self._stopping.set()
        self.bell.ring()

    async def run(self, *services: Coroutine[Any, Any, None]) -> None:
        """Run everything until `stop`; `services` (the web server) run beside the parts and end with them."""
        async with asyncio.TaskGroup() as outer:
            recorder = outer.create_task(self.recorder.run(), name="recorder")
            await self.journal.start()
            await self._engine.clockwork.start()
            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(one, name=name) for name, one in self._parts()]
                    running += [group.create_task(one, name=f"service:{n}") for n, one in enumerate(services)]
                    lanes = [group.create_task(lane.run(self._stopping.is_set), name=lane.name) for lane in self.lanes]
                    await self._stopping.wait()
                    self.bell.ring()
                    _, late = await asyncio.wait(lanes, timeout=_LANES_END_S)
                    for task in [*running, *late]:
                        task.cancel()
            finally:
                recorder.cancel()

    def _parts(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        parts: list[tuple[str, Coroutine[Any, Any, None]]] = [
            ("planner", self.planner.run(self._stopping.is_set)),
            ("clockwork", self._engine.clockwork.run()),
            ("lookups", self._engine.lookups.run()),
            ("journal", self.journal.run()),
            ("recordings", self._engine.make_recordings()),
            ("timetable", self.timetable.run()),
            ("remember", self._bequests.remember()),
            ("watchdog", self.watchdog.run()),
        ]
        lifeline = self._make_lifeline()
        if lifeline is not None:
            parts.append(("lifeline", lifeline.run()))
        if self._worker is not None:
            parts.append(
                (
                    "worker",
                    self._worker.run(bell=self.bell, metrics=self._metrics, quiet=lambda: self._engine.quiet.reigns),
                )
            )
            parts.append(("heirs", self._bequests.inherit(self.channels)))
        parts += [(f"channel:{name}", one.run(self.recorder.receipt)) for name, one in self.channels.items()]
        if self.folder is not None:
            parts.append(("folder", self.folder.run()))
        return parts
