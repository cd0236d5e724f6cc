"""Puts one terminal together and runs it: state folder, rules, voice, connections."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd import __version__
from warnd.clock import Clock
from warnd.model.loudspeaker import DRILL_ROOT, LIVE_ROOT, ROOTS, Lineage, TerminalState, Trust
from warnd.terminal.broadcast import Broadcast
from warnd.terminal.chains import Chains
from warnd.terminal.changes import Changes
from warnd.terminal.core import Arrival, Core
from warnd.terminal.disk import Disk
from warnd.terminal.identity import Identity
from warnd.terminal.link import Access, Link
from warnd.terminal.memory import Memory
from warnd.terminal.outbox import Outbox
from warnd.terminal.player import Player
from warnd.terminal.programme import Programme
from warnd.terminal.reports import Reports
from warnd.terminal.speaker import Speaker
from warnd.terminal.timekeeping import Timekeeper

HEARTBEAT_S: Final = 30
SAVE_AGAIN_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is particular about one terminal.

    Attributes:
        terminal: Its id: its MQTT client id, and its user name at a broker that asks for one.
        lineage: Where it stands.
        key: Signs its receipts.
        trust: Which keys may command it.
        state: The folder for all that must survive a power cut; its own.
        trust_clock: False where nobody sets the machine's clock.
    """

    terminal: str
    lineage: Lineage
    key: Ed25519PrivateKey
    trust: Trust
    state: Path
    trust_clock: bool = True


class Terminal:
    """One village loudspeaker.

    Args:
        speaker: Its voice and amplifier.
        chance: For the boot id and for waits between connections.
        live: The broker of real warnings.
        drill: The broker account of drills; None = drills come over the connection of `live`, if its broker allows that.
        heartbeat_s: Seconds between two states; three missed ones mean offline.

    Raises:
        StateLockedError: Another terminal runs on the same state folder.
        OSError: The state folder cannot be made.
    """

    def __init__(
        self,
        place: Place,
        *,
        speaker: Speaker,
        clock: Clock,
        chance: random.Random,
        live: Access,
        drill: Access | None = None,
        heartbeat_s: int = HEARTBEAT_S,
    ) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._heartbeat_s = heartbeat_s
        self._speaker = speaker
        self._disk = Disk(place.state)
        self._disk.open()
        self.boot_id = f"{chance.getrandbits(128):032x}"
        self._identity = Identity(
            terminal=place.terminal, lineage=place.lineage, key=place.key, trust=place.trust, boot_id=self.boot_id
        )
        self._changes = Changes()
        self._time = Timekeeper(clock, self._disk, trust_system=place.trust_clock)
        self._memory = Memory(self._disk)
        self._outbox = Outbox(self._disk, place.key)
        self._broadcast, self._core = self._rules(place.trust)
        self._player = Player(self._broadcast, speaker, memory=self._memory, clock=clock, changes=self._changes)
        self._links = self._connections(live, drill, chance)

    def _rules(self, trust: Trust) -> tuple[Broadcast, Core]:
        chains = Chains(self._disk, trust)
        reports = Reports(
            self._identity,
            self._outbox,
            clock=self._clock,
            time=self._time,
            volume=lambda: self._memory.volume,
            amplifier=self._speaker.amplifier,
        )
        broadcast = Broadcast(
            chains,
            programme=Programme(chains, clock=self._clock, time=self._time),
            reports=reports,
            time=self._time,
            changes=self._changes,
            amplifier=self._speaker.amplifier,
        )
        core = Core(
            self._identity,
            clock=self._clock,
            time=self._time,
            chains=chains,
            outbox=self._outbox,
            memory=self._memory,
            reports=reports,
            broadcast=broadcast,
            changes=self._changes,
        )
        return broadcast, core

    def _connections(self, live: Access, drill: Access | None, chance: random.Random) -> list[Link]:
        terminal = self._identity.terminal
        accesses: list[tuple[Access, str, tuple[str, ...]]] = [
            (live, terminal, ROOTS if drill is None else (LIVE_ROOT,))
        ]
        if drill is not None:  # Both accounts may be listeners of one broker, which knows a client id only once.
            accesses.append((drill, f"{terminal}-drill", (DRILL_ROOT,)))
        return [
            Link(
                access,
                client_id=client_id,
                roots=roots,
                identity=self._identity,
                core=self._core,
                outbox=self._outbox,
                changes=self._changes,
                state=self.state,
                heartbeat_s=self._heartbeat_s,
                clock=self._clock,
                chance=chance,
            )
            for access, client_id, roots in accesses
        ]

    @property
    def outbox(self) -> Outbox:
        """The receipts that somebody may still want."""
        return self._outbox

    def arrive(self, arrival: Arrival) -> None:
        """Take one message as if it came from a broker."""
        self._core.arrive(arrival)

    def state(self) -> TerminalState:
        """Return what the terminal says of itself now."""
        air = self._broadcast.air
        return TerminalState(
            terminal=self._identity.terminal,
            online=True,
            boot_id=self.boot_id,
            uptime_s=int(self._clock.monotonic() - self._started),
            heartbeat_s=self._heartbeat_s,
            playing=None if air is None else air.command.message_id,
            volume=self._memory.volume,
            amplifier=self._speaker.amplifier(),
            clock=self._time.state,
            firmware=f"warnd {__version__}",
            last_message=self._core.last_message,
            at=self._time.stamp(),
        )

    async def play(self) -> None:
        """Sound what has arrived, without any connection, until cancelled."""
        await self._player.run()

    async def run(self) -> None:
        """Be a village loudspeaker until cancelled; then say goodbye to the brokers and let go of the state folder."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._player.run(), name="player")
                group.create_task(self._keep_saving(), name="saving")
                for link in self._links:
                    group.create_task(link.run(), name="link")
        finally:
            self.close()

    async def _keep_saving(self) -> None:
        while True:
            await self._clock.sleep(SAVE_AGAIN_S)
            if self._disk.refusing:
                self._disk.retry()

    def close(self) -> None:
        """Let another terminal have the state folder."""
        self._disk.close()
