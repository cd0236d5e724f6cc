"""A daemon in real time that makes recordings, with engines that a test holds in its hand, and sounds like people's recordings."""

import asyncio
import math
import os
import stat
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

from tests.simulation.virtual import START, VirtualLoop
from tests.simulation.world import Act, World, accepts, resumed, running, settings_for
from warnd.model.wave import write_wave
from warnd.render.speech.sound import encode
from warnd.settings import Settings

RATE_HZ = 22_050


def tone(length_ms: int, *, rate_hz: int = RATE_HZ, hz: float = 440.0) -> "array[int]":
    """Return 16-bit mono samples of a tone."""
    return array(
        "h",
        [int(9_000 * math.sin(2 * math.pi * hz * step / rate_hz)) for step in range(rate_hz * length_ms // 1000)],
    )


def tone_wav(length_ms: int, *, rate_hz: int = RATE_HZ, hz: float = 440.0) -> bytes:
    """Return a tone as WAV."""
    return write_wave(tone(length_ms, rate_hz=rate_hz, hz=hz).tobytes(), rate_hz=rate_hz)


def tone_mp3(length_ms: int, *, rate_hz: int = RATE_HZ, channels: int = 1) -> bytes:
    """Return a tone as MP3."""
    return encode(tone(length_ms, rate_hz=rate_hz), rate_hz=rate_hz, kbps=32, served_hz=rate_hz, channels=channels)


class Booth:
    """A speech engine in a folder: says every text as the same tone, counts how often, and waits when it is told to."""

    def __init__(self, folder: Path, *, length_ms: int = 700) -> None:
        self.folder = folder / "booth"
        self.folder.mkdir()
        self.program = self.folder / "engine"
        self._gate = self.folder / "gate"
        (self.folder / "sound.wav").write_bytes(tone_wav(length_ms))
        self._held = -1
        self.speaks()

    def _script(self, body: str) -> None:
        beside = self.folder / "engine.new"
        beside.write_text(f'#!/bin/sh\ncd "{self.folder}"\ncat >> said\n{body}\n', "utf-8")
        beside.chmod(beside.stat().st_mode | stat.S_IXUSR)
        beside.replace(self.program)

    def speaks(self) -> None:
        """Speak at once from now on."""
        self._script("cat sound.wav")

    def hangs(self) -> None:
        """Say nothing until `go`."""
        os.mkfifo(self._gate)
        self._held = os.open(self._gate, os.O_RDWR)  # So that nobody waits for the other end.
        self._script("read go < gate; cat sound.wav")

    def fails(self) -> None:
        """End badly."""
        self._script("echo the voice is hoarse >&2; exit 3")

    def go(self) -> None:
        """Let one waiting engine speak."""
        os.write(self._held, b"go\n")

    def said(self) -> list[str]:
        """Return the texts that it was given, in order."""
        file = self.folder / "said"
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def toml(self, more: str = "") -> str:
        """Return a `[speech]` that uses it for Chinese and English."""
        return f'[speech]\nengine = ["{self.program}", "{{voice}}"]\nvoices = {{ zh = "a", en = "b" }}\n{more}\n'


@asynccontextmanager
async def speaking(folder: Path, toml: str, *, speakers: Act = accepts, again: bool = False) -> AsyncIterator[World]:
    """Run the daemon in real time; `again` = on the store that lies in the folder."""
    loop = asyncio.get_running_loop()
    start = START - timedelta(seconds=loop.time())
    run = resumed if again else running
    async with run(
        folder,
        loop=cast("VirtualLoop", loop),  # Its time is all that is asked of it.
        phones=accepts,
        speakers=speakers,
        settings=_settings(folder, toml),
        start=start,
    ) as world:
        yield world


def _settings(folder: Path, toml: str) -> Settings:
    folder.mkdir(exist_ok=True)
    return settings_for(folder, toml)
