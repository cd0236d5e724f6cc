"""A village with the real terminal in it, but no broker: tests hand commands in, move the clock, and read what was reported."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, NOW, TERMINAL, TERMINAL_KEY, TRUST, VILLAGE
from tests.fakes.manual_clock import ManualClock, settle
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    ROOTS,
    Amplifier,
    Command,
    Lineage,
    Receipt,
    Trust,
    Verb,
    sign_command,
    terminal_command_topic,
)
from warnd.model.loudspeaker.topics import region_command_topic
from warnd.terminal import Access, Place, Speaker, Terminal
from warnd.terminal.core import Arrival
from warnd.terminal.output import Nowhere, Output
from warnd.terminal.voice import NoVoiceError, Voice
from warnd.terminal.wave import Clip

SAID_MS = 10_000


class TenSeconds:
    """A voice for which everything takes ten seconds to say, in every language but Tibetan."""

    async def say(self, lang: str, text: str) -> Clip:
        assert text
        if lang == "bo":
            raise NoVoiceError(lang)
        return Clip(b"", SAID_MS)


class Village:
    """One terminal on one state folder."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: ManualClock | None = None,
        start: int = 1,
        trust: Trust = TRUST,
        trust_clock: bool = True,
        region: str = VILLAGE,
        voice: Voice | None = None,
        output: Output | None = None,
    ) -> None:
        self.folder = folder
        self.clock = clock or ManualClock(NOW)
        self.amplifier = Amplifier.OK
        self._options = {"trust": trust, "trust_clock": trust_clock, "region": region, "voice": voice, "output": output}
        self._start = start
        self.terminal = Terminal(
            Place(
                terminal=TERMINAL,
                lineage=Lineage.parse(region),
                key=TERMINAL_KEY,
                trust=trust,
                state=folder,
                trust_clock=trust_clock,
            ),
            speaker=Speaker(voice or TenSeconds(), output or Nowhere(self.clock, amplifier=lambda: self.amplifier)),
            clock=self.clock,
            chance=random.Random(start),
            live=Access("nowhere", 1),
        )

    def restarted(self, *, wall: datetime | None = None, **changes: object) -> "Village":
        """Return the same terminal after a power cut; `wall` is what its clock shows then."""
        self.terminal.close()
        clock = ManualClock(wall or self.clock.now())
        options = {**self._options, **changes}
        return Village(self.folder, clock=clock, start=self._start + 1, **options)  # type: ignore[arg-type] # as given before

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """Let the terminal play."""
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(self.terminal.play())
            await settle()
            try:
                yield
            finally:
                playing.cancel()

    def close(self) -> None:
        """Put the power off for good."""
        self.terminal.close()

    def send(
        self,
        command: Command,
        *,
        key: Ed25519PrivateKey | None = None,
        topic: str | None = None,
        retained: bool = False,
        expiry_s: int | None = None,
    ) -> str:
        """Hand a command in on the topic that fits it, signed with the key of its root; return what was handed in."""
        compact = sign_command(command, key or (DRILL_KEY if command.root == DRILL_ROOT else LIVE_KEY))
        self.send_raw(compact, topic=topic or topic_of(command), retained=retained, expiry_s=expiry_s)
        return compact

    def send_raw(self, compact: str, *, topic: str, retained: bool = False, expiry_s: int | None = None) -> None:
        """Hand anything in."""
        self.terminal.arrive(Arrival(topic, compact.encode(), retained=retained, expiry_s=expiry_s))

    def due(self) -> list[Receipt]:
        """Return what would be sent to the daemon now."""
        return [kept.receipt for kept in self.terminal.outbox.due(ROOTS, self.clock.monotonic())]

    def kept(self) -> list[Receipt]:
        """Return all that the daemon has not confirmed."""
        return [kept.receipt for kept in self.terminal.outbox.due(ROOTS, math.inf)]

    def told(self) -> list[str]:
        """Return in short what was reported since the last look: "flood-1 stopped higher_priority", "flood-1 played"."""
        new = [kept for kept in self.terminal.outbox.due(ROOTS, self.clock.monotonic()) if not kept.sent]
        for kept in new:
            self.terminal.outbox.sent(kept, self.clock.monotonic())
        return [short(kept.receipt) for kept in new]


def short(receipt: Receipt) -> str:
    """Return a receipt in a few words."""
    words = (receipt.message_id, receipt.stage.value, receipt.reason and receipt.reason.value)
    return " ".join(word for word in words if word)


def topic_of(command: Command) -> str:
    """Return the topic on which the daemon would send a command."""
    kind, _, name = command.to.partition(":")
    if kind == "region" and command.verb in {Verb.PLAY, Verb.STOP}:
        return region_command_topic(command.root, name, command.chain_id or "")
    return terminal_command_topic(command.root, name)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let every write to a file fail, as on a full disk."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    with capture_logs():  # The test's own output is a file, too.
        setrlimit(RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            setrlimit(RLIMIT_FSIZE, (soft, hard))
