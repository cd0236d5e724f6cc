"""The terminal at a real mosquitto with the shipped rights: what a village and its centre live through (DESIGN §9)."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.centre_at_broker import Centre, centre_at
from tests.fakes.loudspeaker import DRILL, LIVE_KEY, PLAY, STOP, TERMINAL, TERMINAL_KEY, TRUST, VILLAGE, to_terminal
from warnd.clock import SystemClock
from warnd.model.level import Level
from warnd.model.loudspeaker import Amplifier, Command, Lineage, Stage, Verb, sign_command
from warnd.terminal import Access, Place, Speaker, Terminal
from warnd.terminal.output import Nowhere
from warnd.terminal.wave import Clip

pytestmark = needs_mosquitto

USERS = {"warnd": "centre", TERMINAL: "village"}
DRILL_USERS = {"warnd": "drill-centre", TERMINAL: "drill-village"}


def now() -> datetime:
    return SystemClock().now()


def fresh(command: Command) -> Command:
    """Return a command issued now: these tests run on the machine's clock."""
    return replace(command, issued_at=now(), expires_at=now() + timedelta(hours=2), tone=None)


class Quick:
    """A voice that says everything in a moment, or, for a test's own reasons, takes its time."""

    def __init__(self, duration_ms: int) -> None:
        self._duration_ms = duration_ms

    async def say(self, lang: str, text: str) -> Clip:
        assert lang
        assert text
        return Clip(b"", self._duration_ms)


@dataclass
class World:
    """One broker, and the state folder of one terminal."""

    broker: Broker
    folder: Path

    def terminal(self, *, said_ms: int = 20, drill: bool = False, heartbeat_s: int = 30) -> Terminal:
        clock = SystemClock()
        return Terminal(
            Place(terminal=TERMINAL, lineage=Lineage.parse(VILLAGE), key=TERMINAL_KEY, trust=TRUST, state=self.folder),
            speaker=Speaker(Quick(said_ms), Nowhere(clock, amplifier=lambda: Amplifier.OK)),
            clock=clock,
            chance=random.Random(),
            live=Access(self.broker.host, self.broker.port, username=TERMINAL, password=USERS[TERMINAL]),
            drill=Access(self.broker.host, self.broker.drill_port, username=TERMINAL, password=DRILL_USERS[TERMINAL])
            if drill
            else None,
            heartbeat_s=heartbeat_s,
        )

    @asynccontextmanager
    async def running(self, terminal: Terminal) -> AsyncIterator[Terminal]:
        """Run a terminal and end it in an orderly way."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(terminal.run())
            try:
                yield terminal
            finally:
                task.cancel()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_broker(tmp_path, users=USERS, drill_users=DRILL_USERS) as broker:
        yield World(broker, tmp_path / "state")


@pytest.fixture
async def centre(world: World) -> AsyncIterator[Centre]:
    async with centre_at(world.broker, USERS["warnd"]) as centre:
        yield centre


def online(centre: Centre) -> bool:
    return bool(centre.states) and centre.states[-1].online


async def test_a_warning_is_proved_and_confirmed(world: World, centre: Centre) -> None:
    async with world.running(world.terminal()) as terminal:
        await centre.until(online)
        await centre.command(fresh(PLAY))
        await centre.until_told("flood-1 received", "flood-1 playing", "flood-1 played")
        assert [receipt.n for receipt in centre.receipts] == [1, 2, 3]
        await centre.command(replace(fresh(to_terminal(Verb.ACK)), boot_id=terminal.boot_id, n=3))
        await centre.command(replace(fresh(to_terminal(Verb.VOLUME)), volume=10))
        await centre.until(lambda centre: len(centre.receipts) == 4)
        await centre.until(lambda centre: centre.states[-1].volume == 10)


async def test_a_terminal_that_comes_late_finds_the_retained_command_and_plays_it(world: World, centre: Centre) -> None:
    await centre.command(replace(fresh(PLAY), to="region:510181000000"))
    async with world.running(world.terminal()):
        await centre.until_told("flood-1 played")


async def test_a_command_to_a_sleeping_terminal_waits_for_it(world: World, centre: Centre) -> None:
    async with world.running(world.terminal()):
        await centre.until(online)
    await centre.until(lambda centre: not online(centre))
    await centre.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
    async with world.running(world.terminal()):
        await centre.until_told("flood-1 played")


async def test_a_warning_that_expired_while_the_terminal_slept_is_silent(world: World, centre: Centre) -> None:
    async with world.running(world.terminal()):
        await centre.until(online)
    old = replace(fresh(PLAY), to=f"terminal:{TERMINAL}", expires_at=now() - timedelta(seconds=1))
    await centre.command(old)
    async with world.running(world.terminal()):
        await centre.until_told("flood-1 failed expired")
        assert "flood-1 playing" not in centre.told()


async def test_two_open_warnings_are_both_heard(world: World, centre: Centre) -> None:
    await centre.command(fresh(PLAY))
    await centre.command(replace(fresh(PLAY), message_id="wind", chain_id="wind", level=Level.ORANGE))
    async with world.running(world.terminal()):
        await centre.until_told("flood-1 played", "wind played")


async def test_a_stop_cuts_the_voice_and_a_play_that_comes_after_it_is_refused(world: World, centre: Centre) -> None:
    async with world.running(world.terminal(said_ms=60_000)):
        await centre.command(fresh(PLAY))
        await centre.until_told("flood-1 playing")
        await centre.until(lambda centre: centre.states[-1].playing == "flood-1")
        await centre.command(fresh(STOP))
        await centre.until_told("flood-1 stopped", "flood-2 received", "flood-2 stopped")
        await centre.until(lambda centre: centre.states[-1].playing is None)
        stopped = next(
            receipt for receipt in centre.receipts if receipt.message_id == "flood-1" and receipt.stage is Stage.STOPPED
        )
        assert 0 <= stopped.played_ms < 30_000
        await centre.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
        await centre.until_told("flood-1 failed superseded")


async def test_a_stop_that_is_there_before_the_play_keeps_it_silent(world: World, centre: Centre) -> None:
    await centre.command(fresh(STOP))
    async with world.running(world.terminal()):
        await centre.until_told("flood-2 stopped")
        await centre.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
        await centre.until_told("flood-1 failed superseded")
        assert "flood-1 playing" not in centre.told()


async def test_a_smaller_area_silences_whoever_is_outside_of_it(world: World, centre: Centre) -> None:
    async with world.running(world.terminal(said_ms=60_000)):
        await centre.command(fresh(PLAY))
        await centre.until_told("flood-1 playing")
        await centre.command(replace(fresh(PLAY), message_id="flood-2", seq=2, regions=("510181102008",)))
        await centre.until_told("flood-1 stopped", "flood-2 received", "flood-2 stopped")


async def test_drills_come_by_their_own_account_and_are_proved_there(world: World) -> None:
    async with (
        centre_at(world.broker, DRILL_USERS["warnd"], drill=True) as drills,
        world.running(world.terminal(drill=True)),
    ):
        await drills.until(online)
        await drills.command(fresh(DRILL))
        await drills.until_told("drill-1 received", "drill-1 playing", "drill-1 played")


async def test_an_exercise_under_the_live_key_is_refused_and_reported(world: World) -> None:
    async with (
        centre_at(world.broker, DRILL_USERS["warnd"], drill=True) as drills,
        world.running(world.terminal(drill=True)),
    ):
        await drills.command(fresh(DRILL), key=LIVE_KEY)
        await drills.until_told("drill-1 failed drill_on_live")


async def test_yesterdays_signed_play_is_silent_and_reported(world: World, centre: Centre) -> None:
    yesterday = now() - timedelta(days=1)
    old = replace(PLAY, issued_at=yesterday, expires_at=yesterday + timedelta(hours=2))
    async with world.running(world.terminal()):
        await centre.until(online)
        await centre.command(old, retain=False)
        await centre.until_told("flood-1 failed expired")
        assert "flood-1 playing" not in centre.told()


async def test_rubbish_on_the_command_topic_ends_nothing(world: World, centre: Centre) -> None:
    async with world.running(world.terminal()):
        await centre.until(online)
        topic = f"warnd/v1/terminal/{TERMINAL}/command"
        for rubbish in ("rubbish", "a.b.c", "", "x" * 60_000, sign_command(fresh(PLAY), LIVE_KEY)[:-9]):
            await centre.publish(topic, rubbish, retain=False)
        await centre.command(fresh(PLAY))
        await centre.until_told("failed bad_signature", "flood-1 played")


async def test_after_a_power_cut_of_the_broker_the_terminal_comes_back_and_proves_what_it_did_meanwhile(
    world: World,
) -> None:
    async with world.running(world.terminal(said_ms=1000)):
        async with centre_at(world.broker, USERS["warnd"]) as centre:
            await centre.command(fresh(PLAY))
            await centre.until_told("flood-1 playing")
        world.broker.kill()
        world.broker.start()
        async with centre_at(world.broker, USERS["warnd"]) as centre:
            await centre.until_told("flood-1 received", "flood-1 playing", "flood-1 played")


async def test_states_come_with_every_heartbeat(world: World, centre: Centre) -> None:
    async with world.running(world.terminal(heartbeat_s=1)):
        await centre.until(lambda centre: len({state.uptime_s for state in centre.states}) >= 3)
        assert centre.states[-1].heartbeat_s == 1


async def test_a_terminal_without_a_clock_takes_the_time_that_is_signed_for_its_start(
    world: World, centre: Centre
) -> None:
    terminal = world.terminal()
    async with world.running(terminal):
        await centre.until(online)
        await centre.command(
            replace(fresh(to_terminal(Verb.TIME)), boot_id=terminal.boot_id, at=datetime(2100, 1, 1, tzinfo=UTC))
        )
        await centre.command(replace(fresh(PLAY), to=f"terminal:{TERMINAL}"))
        await centre.until_told("flood-1 failed expired")
