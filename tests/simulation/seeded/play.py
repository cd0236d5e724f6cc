"""Plays one scenario from its seed and says what was broken."""

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import structlog
from sqlalchemy import Connection, text

from tests import invariants
from tests.simulation.seeded import judge
from tests.simulation.seeded.acts import People
from tests.simulation.seeded.script import (
    BROKER,
    CLOCK,
    DOWN,
    KILL,
    LOOK,
    MOOD,
    PEOPLE,
    SPEAKER,
    STOP,
    TROUBLE,
    cast_of,
    moods,
    troubles,
    turns_of,
)
from tests.simulation.seeded.stage import Stage
from tests.simulation.virtual import VirtualLoop, run, simulated
from warnd.ledger.values import to_ms

_SOON_S = 6.0  # In which a due leg is claimed while a daemon lives and nothing disturbs it.
_CALM_S = 9.0
_LEASE = timedelta(seconds=130)


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario went.

    Attributes:
        broken: What was broken, in the order in which it showed; empty = all went well.
        story: What happened, line by line.
        digest: Of the whole record and of everything that went over the network.
        simulated_s: How long it took in simulated time.
        calls: How many network calls there were.
        record: The store's events, one a line.
    """

    seed: int
    broken: tuple[str, ...]
    story: tuple[str, ...]
    digest: str
    simulated_s: float
    calls: int
    record: tuple[str, ...]


def play(seed: int) -> Played:
    """Play the scenario of a seed; the same seed gives the same, whatever the machine."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    loop = VirtualLoop()
    try:
        return run(_play(seed, loop), loop)
    finally:
        structlog.reset_defaults()


async def _play(seed: int, loop: VirtualLoop) -> Played:
    async with asyncio.TaskGroup() as group:
        stage = Stage(seed, cast_of(seed), loop, group)
        stage.tell(f"seed {seed}: {stage.cast}")
        try:
            await _Scenario(stage).whole()
        except Exception as error:  # noqa: BLE001 - a rule that fails, or anything else that nobody reckoned with
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"
            stage.judge.complain(f"{told} ({where.name}, line {where.lineno}: {where.line})")
        record = await stage.look(_record)
        digest = hashlib.sha256(repr((record, [_told(call) for call in stage.judge.calls])).encode()).hexdigest()
        for life in stage.alive():
            life.access.dead = True
        for task in [*stage.tasks, *(life.task for life in stage.lives.values())]:
            if task is not None:
                task.cancel()
    stage.store.engine.dispose()
    return Played(
        seed, tuple(stage.judge.complaints), tuple(stage.story), digest, loop.time(), len(stage.judge.calls), record
    )


def _told(call: judge.Call) -> tuple[object, ...]:
    out = call.outgoing
    return (
        round(call.at_s, 6),
        call.channel,
        out.attempt,
        out.address,
        out.repeated,
        [each.text for each in out.texts],
    )


def _record(conn: Connection) -> tuple[str, ...]:
    rows = conn.execute(text("SELECT * FROM event ORDER BY no"))
    return tuple(" ".join(map(str, row)) for row in rows)


class _Scenario:
    """One run over a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dice: Random = stage.dice("scenario")
        self.people = People(stage, stage.dice("people"))
        self.troubled = 0
        self.back_in_time = False

    async def whole(self) -> None:
        """Play it to its end: the turns, a calm in which everything works, the end of all lives."""
        for number in range(self.stage.cast.workers):
            self.stage.start(f"warnd{number}")
        for turn in turns_of(self.stage.seed):
            await simulated(max(0.0, turn.at_s - self.stage.loop.time()))
            await self._take(turn.what)
            if self.stage.judge.complaints:
                return
        await self._calm()
        await self._end()

    async def _take(self, what: str) -> None:
        if what == LOOK:
            await self._look()
            return
        goes_on: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            PEOPLE: self._act,
            KILL: self._kill,
            STOP: self._stop,
            TROUBLE: self._trouble,
            CLOCK: self._set_clock,
            BROKER: self._forget,
            SPEAKER: self._switch,
            MOOD: self._change,
            DOWN: self._cut_off,
        }
        self.stage.spawn(goes_on[what]())

    async def _act(self) -> None:
        deeds = self.people.deeds()
        first = not self.people.papers
        name = "release" if first else self.people.dice.choices(list(deeds), [often for often, _ in deeds.values()])[0]
        try:
            await deeds[name][1]()
        except Exception as error:  # noqa: BLE001 - whoever brings something in is never met with that
            self.stage.judge.complain(f"{name}: {type(error).__name__}: {error}")

    # ---- troubles ----------------------------------------------------------------------------------------------------------------

    async def _change(self) -> None:
        provider = self.stage.providers[self.dice.choice(["sms", "email", "mqtt"])]
        provider.mood = self.dice.choice(moods())
        self.stage.tell(f"{provider.channel} becomes {provider.mood}")

    async def _kill(self) -> None:
        living = [name for name, life in sorted(self.stage.lives.items()) if not life.access.dead]
        if not living:
            return
        name = self.dice.choice(living)
        life = self.stage.lives[name]
        if self.dice.random() < 0.7:
            life.access.steps = self.dice.randrange(12)
            self.stage.tell(f"{life.name} will die after {life.access.steps} steps")
        else:
            self.stage.kill(name)
        await self._revive(name)

    async def _revive(self, name: str) -> None:
        life = self.stage.lives[name]
        for _ in range(40):
            await simulated(0.5)
            if life.access.dead:
                break
        life.access.steps = None
        if self.stage.lives[name] is life and life.access.dead:
            await simulated(self.dice.choice([0.0, 2.0, 15.0]))
            if self.stage.lives[name] is life:
                self.stage.start(name)

    async def _stop(self) -> None:
        living = [name for name, life in sorted(self.stage.lives.items()) if not life.access.dead]
        if living:
            name = self.dice.choice(living)
            life = self.stage.lives[name]
            await self.stage.stop(name)
            await simulated(self.dice.choice([0.0, 3.0]))
            if self.stage.lives[name] is life:
                self.stage.start(name)

    async def _trouble(self) -> None:
        self.troubled += 1
        mine = self.troubled
        self.stage.store.trouble = self.dice.choice(troubles())
        self.stage.tell(f"the store is {self.stage.store.trouble}")
        until_s = self.stage.loop.time() + self.dice.uniform(0.5, 15)
        while self.stage.loop.time() < until_s and not self.stage.world.calm:
            self.stage.disturbed()
            await simulated(0.5)
        if self.troubled == mine:
            self.stage.store.trouble = None
            self.stage.tell("the store is well")
        self.stage.disturbed()

    async def _set_clock(self) -> None:
        by_s = self.dice.choice([3600, -3600, 600, -600, 20, -20, 1.5])
        if self.stage.cast.workers > 1 and self.dice.random() < 0.5:
            self._shift_machine(by_s)
            return
        self._shift(by_s)
        await simulated(self.dice.uniform(1, 30))
        self._shift(-by_s)

    def _shift(self, by_s: float) -> None:
        self.stage.clock.ahead += timedelta(seconds=by_s)
        self.back_in_time |= by_s < 0
        self.stage.judge.set_at = self.stage.loop.time()
        self.stage.tell(f"the clock is set by {by_s:+} s")
        self.stage.disturbed()

    def _shift_machine(self, by_s: float) -> None:
        """Set the clock of one worker's machine: nobody must notice."""
        living = self.stage.alive()
        if living:
            life = self.dice.choice(living)
            life.clock.ahead += timedelta(seconds=by_s)
            self.stage.tell(f"the clock of {life.name}'s machine is set by {by_s:+} s")

    async def _forget(self) -> None:
        self.stage.tell("the broker comes back without memory")
        self.stage.broker.forget()
        drill = self.dice.random() < 0.3
        for life in self.stage.alive():
            for wire in life.wires:
                if wire.name == "mqtt":
                    wire.context.forgotten("mqtt", drill)

    async def _switch(self) -> None:
        speaker = self.dice.choice(self.stage.broker.speakers)
        speaker.broken = self.dice.random() < 0.3
        speaker.online = False
        speaker.presence()
        self.stage.tell(f"{speaker.terminal} goes off line")
        await simulated(self.dice.uniform(1, 40))
        if self.dice.random() < 0.5:
            speaker.boot += 1
        self.stage.broker.back(speaker)
        self.stage.tell(f"{speaker.terminal} is back")

    async def _cut_off(self) -> None:
        provider = self.stage.providers[self.dice.choice(["sms", "email", "mqtt"])]
        provider.down = "the line is cut"
        until_s = self.stage.loop.time() + self.dice.uniform(1, 15)
        while self.stage.loop.time() < until_s and not self.stage.world.calm:
            self.stage.disturbed()
            await simulated(0.5)
        provider.down = None
        self.stage.disturbed()

    # ---- looks -------------------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        await self.stage.look(check, back_in_time=self.back_in_time)
        stage = self.stage
        if stage.alive() and stage.loop.time() - stage.disturbed_s > _SOON_S and not self._throttled():
            before_ms = to_ms(stage.clock.now()) - int(_SOON_S * 1000)
            late = await stage.look(overlooked, before_ms=before_ms)
            if late:
                stage.judge.complain(f"due for more than {_SOON_S} s and not claimed: {late[:5]}")

    def _throttled(self) -> bool:
        """Say whether a provider may have asked for a pause: then its lane waits for it."""
        return not self.stage.world.calm

    async def _calm(self) -> None:
        stage = self.stage
        stage.world.calm = True
        stage.store.trouble = None
        for life in stage.lives.values():
            life.access.steps = None
        stage.tell("calm: from now on everything works")
        await simulated(3)
        for name, life in sorted(stage.lives.items()):
            if life.access.dead and stage.lives[name] is life:
                stage.start(name)
        await simulated(_CALM_S)
        self._shift(_LEASE.total_seconds())
        await simulated(_CALM_S)
        await self._look()
        await stage.look(nothing_is_stuck, now_ms=to_ms(stage.clock.now()), judge=stage.judge)
        await stage.look(judge.the_end_was_told, judge=stage.judge)
        await stage.look(judge.evidence_is_backed, judge=stage.judge)
        await stage.look(judge.promises_are_kept, judge=stage.judge)
        self._nothing_is_forgotten(await stage.look(_ids))

    def _nothing_is_forgotten(self, ids: set[str]) -> None:
        for paper in self.people.papers:
            answer = paper.submission
            if answer is None:
                self.stage.judge.complain(f"{paper.alert.identifier} was never answered")
            elif answer.warning_id is not None and answer.warning_id not in ids:
                self.stage.judge.complain(f"{paper.alert.identifier} was accepted and is forgotten")

    async def _end(self) -> None:
        stage = self.stage
        self._shift(9 * 3600)
        await simulated(4)
        await stage.look(check, back_in_time=self.back_in_time)
        alive = await stage.look(_still_alive)
        if alive:
            stage.judge.complain(f"outlived its own end: {alive[:5]}")


def check(conn: Connection, *, back_in_time: bool) -> None:
    """Check what one look can tell. Where the clock was set back, rules that compare its times say nothing; the watchmen know the order."""
    invariants.deliveries_are_what_was_asked(conn)
    invariants.proofs_stand(conn)
    invariants.whoever_heard_is_told_of_the_end(conn)
    if not back_in_time:
        invariants.nothing_left_after_the_end(conn)
        invariants.one_open_attempt_per_leg(conn)
    invariants.drills_stay_apart(conn)
    invariants.villages_are_confirmed_by_receipts(conn)
    invariants.record_is_whole(conn)
    invariants.counters_tell_the_truth(conn)


def overlooked(conn: Connection, *, before_ms: int) -> list[Any]:
    """Return legs that anybody might have claimed before a moment."""
    rows = conn.execute(
        text(
            "SELECT l.no, l.lane, l.due_at FROM leg l JOIN message m ON m.no = l.message_no WHERE l.state = 'due' "
            "AND l.due_at < :before AND m.closed_as IS NULL AND m.expires_at > :before AND m.released_at < :before ORDER BY l.no"
        ),
        {"before": before_ms},
    )
    return [tuple(row) for row in rows]


def nothing_is_stuck(conn: Connection, *, now_ms: int, judge: judge.Judge) -> None:
    """After a calm every open message is planned whole, no lease outlives itself, and whoever is not reached is being tried or named."""
    rules = {
        "not planned": "SELECT id FROM message WHERE closed_as IS NULL AND stage <> 'planned' AND expires_at > :now",
        "leased past its lease": "SELECT no FROM leg WHERE state = 'submitting' AND lease_until < :now - 2000",
        "waits past its time": "SELECT l.no FROM leg l JOIN message m ON m.no = l.message_no WHERE l.state = 'waiting' "
        "AND l.due_at < :now - 3000",
        "open, and nothing will ever be done": "SELECT d.no FROM delivery d JOIN message m ON m.no = d.message_no "
        "WHERE d.state = 'open' AND m.closed_as IS NULL AND m.stage = 'planned' AND NOT EXISTS (SELECT 1 FROM leg l "
        "WHERE l.delivery_no = d.no AND l.state IN ('due', 'submitting', 'waiting'))",
        "given up while a channel stands by": "SELECT d.no FROM delivery d JOIN message m ON m.no = d.message_no "
        "WHERE d.state = 'exhausted' AND m.closed_as IS NULL AND EXISTS (SELECT 1 FROM leg l WHERE l.delivery_no = d.no "
        "AND l.state IN ('standby', 'due', 'submitting', 'waiting'))",
    }
    for what, rule in rules.items():
        found = [row[0] for row in conn.execute(text(rule), {"now": now_ms})]
        if found:
            judge.complain(f"{what}: {found[:5]}")


def _ids(conn: Connection) -> set[str]:
    return set(conn.execute(text("SELECT id FROM warning")).scalars())


def _still_alive(conn: Connection) -> list[Any]:
    rows = conn.execute(
        text(
            "SELECT id, state FROM warning WHERE state IN ('in_review', 'dispatching', 'completed') AND expires IS NOT NULL "
            "UNION ALL SELECT id, stage FROM message WHERE closed_as IS NULL"
        )
    )
    return [tuple(row) for row in rows]
