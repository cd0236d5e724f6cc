"""Everything between a CAP document and a confirmed village: how the parts are joined, run and stopped."""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

import channels
from warnd import __version__
from warnd.bell import Bell
from warnd.channel import Beacon, Channel, Context, Heir, Publisher
from warnd.clock import Clock
from warnd.daemon.chores import chores
from warnd.daemon.derived import lane_limits, missing_elements, node_of, push_of, recording_limits, remarks, severities
from warnd.daemon.files import Files
from warnd.daemon.lifeline import Lifeline, Own
from warnd.daemon.worker import Worker
from warnd.dispatch.clockwork import Clockwork
from warnd.dispatch.contents import Contents
from warnd.dispatch.journal import Journal
from warnd.dispatch.lane import Lane, Workbench
from warnd.dispatch.lookout import Lookout
from warnd.dispatch.lookups import Lookups
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.planner import Planner
from warnd.dispatch.recorder import Recorder
from warnd.dispatch.recordings import Recordings
from warnd.dispatch.timetable import Timetable
from warnd.dispatch.watchdog import LaneSigns, Watchdog
from warnd.dispatch.workshop import Workshop
from warnd.intake.desk import Desk
from warnd.intake.folder import WatchedFolder
from warnd.intake.forecast import Forecaster
from warnd.intake.reading import Policy, Reader
from warnd.ledger import keys, publications
from warnd.ledger.planning import Means, Pace
from warnd.ledger.priority import lane
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.ledger.workers import Gone
from warnd.model import answer
from warnd.model.cap import LevelRules
from warnd.model.region import stored_code
from warnd.render.speech import Studio
from warnd.settings import Settings
from warnd.web.answering import Links
from warnd.web.app import create_app

_LANES_END_S = (
    6.0  # After SIGTERM, for what is under way; with the server's grace it stays within the ten seconds allowed.
)
_RETRY_S = 1.0
_NEWCOMER_S = 60.0

log = structlog.get_logger(__name__)


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
        self._metrics = Metrics(self.registry)
        self._writer = writer
        self._worker = worker
        self._began_at = clock.monotonic()
        self._stopping = asyncio.Event()
        self._gone: asyncio.Queue[Gone] = asyncio.Queue()
        self._forgotten: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        context = Context(
            clock=clock,
            random=chance,
            terminal_key=self._terminal_key,
            announce=lambda _message_id: self.bell.ring(),
            forgotten=lambda channel, drill: self._forgotten.put_nowait((channel, drill)),
            older_keys=self._older_keys,
        )
        built = {name: make(settings, context) for name, make in build.items()}
        self.channels: dict[str, Channel] = {name: one for name, one in built.items() if one is not None}
        self.journal = Journal(ledger, bell=self.bell, writer=None if alone else writer)
        self.recorder = Recorder(
            ledger, clock, chance=_swift(chance), tag=tag, writer=writer, bell=self.bell, metrics=self._metrics
        )
        self.lookups = Lookups(ledger, clock, recorder=self.recorder, channels=self.channels, tag=tag)
        self.clockwork = Clockwork(
            ledger,
            clock,
            lookups=self.lookups,
            chance=chance,
            writer=writer,
            bell=self.bell,
            alone=alone,
            silent_before_ms=worker.silent_before_ms if worker is not None else lambda: None,
            bury=self._gone.put_nowait,
        )
        jurisdiction = tuple(stored_code(code) for code in settings.node.jurisdiction)
        means = Means(
            channels=frozenset(self.channels),
            jurisdiction=jurisdiction,
            publications={
                name: tuple(one.targets()) for name, one in self.channels.items() if isinstance(one, Publisher)
            },
        )
        self.planner = Planner(ledger, clock, means=means, pace=Pace(), writer=writer, bell=self.bell, alone=alone)
        studio = files.studio if "mqtt" in self.channels else None
        self.recordings = Recordings(
            ledger,
            clock,
            studio=studio,
            workshop=self._make_workshop(studio),
            limits=recording_limits(settings, public_url),
            writer=writer,
            bell=self.bell,
        )
        self._contents = Contents(
            ledger,
            clock,
            templates=files.templates,
            timezone=settings.node.timezone,
            tag=tag,
            sender_names=settings.intake.sender_names,
            recordings=self.recordings,
            answer_url=lambda attempt: f"{public_url.rstrip('/')}/a/{answer.token(answer_key, attempt)}",
        )
        self.lanes = self._make_lanes(self._contents)
        self.watchdog = self._make_watchdog(shared=not alone)
        self.desk = self._make_desk(files, jurisdiction, chance)
        watched = settings.intake.watch_dir
        self.folder = WatchedFolder(watched, self.desk, clock) if watched is not None else None
        self.timetable = Timetable(
            ledger,
            clock,
            jobs=chores(settings, ledger, clock, channels=self.channels),
            writer=writer,
            metrics=self._metrics,
        )
        self.app = create_app(
            ledger=ledger,
            desk=self.desk,
            clock=clock,
            bell=self.bell,
            node=node_of(settings),
            public_url=public_url,
            registry=self.registry,
            channels=tuple(self.channels.values()),
            problems=self.problems,
            outlook=self.watchdog.outlook,
            degraded=self.degraded,
            links=Links(answer_key, tag, self.recorder.receipt),
            push=push_of(settings) if "push" in self.channels else None,
            site=settings.web.site,
            sender_names=settings.intake.sender_names,
            templates=settings.templates_dir,
        )

    def _make_lanes(self, contents: Contents) -> list[Lane]:
        """Return two lanes for each channel: one for the real thing, one for drills, so that neither waits for the other."""
        bench = Workbench(
            ledger=self.ledger,
            clock=self.clock,
            recorder=self.recorder,
            contents=contents,
            lookups=self.lookups,
            lookout=Lookout(
                self.ledger,
                self.clock,
                bell=self.bell,
                lanes=[lane(name, drill=drill) for name in self.channels for drill in (False, True)],
            ),
            writer=self._writer,
            bell=self.bell,
            metrics=self._metrics,
        )
        return [
            Lane(lane(name, drill=drill), channel, limits=lane_limits(self.settings, name), bench=bench)
            for name, channel in self.channels.items()
            for drill in (False, True)
        ]

    def _make_desk(self, files: Files, jurisdiction: tuple[str, ...], chance: random.Random) -> Desk:
        settings = self.settings
        names = settings.intake.sender_names
        policy = Policy(
            plans=files.plans,
            levels=LevelRules(names=settings.intake.level_names, severities=severities(settings)),
            jurisdiction=jurisdiction,
            future_tolerance_s=settings.intake.future_tolerance_s,
            elements=partial(missing_elements, files.templates, names),
            remarks=partial(remarks, files.studio),
            drills=settings.mqtt is not None and settings.mqtt.drill is not None,
        )
        return Desk(
            self.ledger,
            self.clock,
            reader=Reader(self.ledger, self.clock, policy=policy),
            forecaster=Forecaster(
                self.ledger,
                self.clock,
                templates=files.templates,
                languages=settings.node.languages,
                sender_names=names,
                recorded=files.studio,
            ),
            authority=files.authority,
            chance=chance,
            writer=self._writer,
            bell=self.bell,
        )

    async def _terminal_key(self, terminal_id: str) -> bytes | None:
        now_ms = to_ms(self.clock.now())
        return await self.ledger.read(keys.current, terminal_id=terminal_id, now_ms=now_ms)

    async def _older_keys(self, terminal_id: str) -> Sequence[bytes]:
        return await self.ledger.read(keys.older, terminal_id=terminal_id, now_ms=to_ms(self.clock.now()))

    def _make_watchdog(self, *, shared: bool) -> Watchdog:
        signs = {
            lane(name, drill=drill): LaneSigns(lane_limits(self.settings, name).rate_per_s, channel.problem)
            for name, channel in self.channels.items()
            for drill in (False, True)
        }
        after_s, name = self.settings.alarms.stalled_after_s, self.settings.node.worker or ""
        return Watchdog(
            self.ledger,
            self.clock,
            lanes=signs,
            after_s=after_s,
            shared=shared,
            metrics=self._metrics,
            own_name=name,
        )

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
            await self.clockwork.start()
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
            ("clockwork", self.clockwork.run()),
            ("lookups", self.lookups.run()),
            ("journal", self.journal.run()),
            ("recordings", self._make_recordings()),
            ("timetable", self.timetable.run()),
            ("remember", self._remember()),
            ("watchdog", self.watchdog.run()),
        ]
        lifeline = self._make_lifeline()
        if lifeline is not None:
            parts.append(("lifeline", lifeline.run()))
        if self._worker is not None:
            parts.append(("worker", self._worker.run(bell=self.bell, metrics=self._metrics)))
            parts.append(("heirs", self._inherit()))
        parts += [(f"channel:{name}", one.run(self.recorder.receipt)) for name, one in self.channels.items()]
        if self.folder is not None:
            parts.append(("folder", self.folder.run()))
        return parts

    def _make_workshop(self, studio: Studio | None) -> Workshop | None:
        own = self.settings.speech
        if studio is None or own is None:
            return None
        return Workshop(
            self.ledger,
            self.clock,
            studio=studio,
            most_bytes=own.keep_mb * 1024 * 1024,
            writer=self._writer,
            bell=self.bell,
            metrics=self._metrics,
        )

    async def _make_recordings(self) -> None:
        await self.recordings.run(message=self._contents.speech, waiting=self._contents.speech_in_review)

    async def _remember(self) -> None:
        """Publish again what a broker lost when it came back without its memory."""
        while True:
            channel, drill = await self._forgotten.get()
            try:
                if await self._is_newcomer():
                    continue
                reopened = await self.ledger.write(
                    publications.reopen, channel=channel, drill=drill, now_ms=to_ms(self.clock.now())
                )
            except SQLAlchemyError as error:
                log.error("not_reopened", channel=channel, drill=drill, error=str(error))
                self._forgotten.put_nowait((channel, drill))
                await self.clock.sleep(_RETRY_S)
                continue
            if reopened:
                log.warning("publications_reopened", channel=channel, drill=drill, count=reopened)
                self.bell.ring()

    async def _inherit(self) -> None:
        """Take what providers keep for workers that are gone, unless one came back under the name."""
        while True:
            gone = await self._gone.get()
            for heir in [each for each in self.channels.values() if isinstance(each, Heir) and not gone.back]:
                await heir.take_over(gone.name)

    async def _is_newcomer(self) -> bool:
        """Say whether a broker does not know this worker only because it is new; then it has lost nothing, or others notice, too.

        Published again for every worker that is added, each command would make every loudspeaker report again.
        """
        just_begun = self.clock.monotonic() - self._began_at < _NEWCOMER_S
        return self._worker is not None and just_begun and not await self._worker.eldest()


def _swift(chance: random.Random) -> random.Random:
    """Return chance that is good enough for waits, without a call to the system for each of a million of them."""
    return random.Random(chance.getrandbits(128)) if isinstance(chance, random.SystemRandom) else chance  # noqa: S311 - spreads waits, protects nothing
