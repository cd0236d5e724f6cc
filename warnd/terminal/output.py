"""Where sound goes: the machine's sound card, or nowhere in as much time."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from warnd.clock import Clock
from warnd.model.loudspeaker import Amplifier
from warnd.programs import ProgramFailedError, run_program
from warnd.terminal.wave import Clip

DEVICE_TIMEOUT_S: Final = 10.0  # Beyond the length of the sound itself.
_WHOLE: Final = 0.9  # A device that swallows sound faster than this share of its length did not sound it.

_log = structlog.get_logger(__name__)


class OutputError(Exception):
    """The sound did not come out, or not to its end; the text says why."""


class Output(Protocol):
    """Whoever makes sound audible."""

    async def sound(self, clip: Clip, volume: int) -> None:
        """Sound a clip at 0..100 and return when it is over; cancelling it makes silence.

        Raises:
            OutputError: It did not sound whole.
        """
        ...

    def amplifier(self) -> Amplifier:
        """Return what is known of the amplifier now."""
        ...


class Nowhere:
    """Silence that takes as long as the sound would."""

    def __init__(self, clock: Clock, *, amplifier: Callable[[], Amplifier]) -> None:
        self._clock = clock
        self.amplifier = amplifier

    async def sound(self, clip: Clip, volume: int) -> None:
        """Let the time of the clip pass."""
        del volume
        await self._clock.sleep(clip.duration_ms / 1000)


class SoundCard:
    """ALSA's aplay, and amixer for the volume where it is there."""

    def __init__(self, clock: Clock, *, amplifier: Callable[[], Amplifier], mixer: str = "Master") -> None:
        self._clock = clock
        self._mixer = mixer
        self.amplifier = amplifier

    async def sound(self, clip: Clip, volume: int) -> None:
        """Sound a clip.

        Raises:
            OutputError: aplay failed, or ended long before the sound could have been heard.
        """
        await self._set_volume(volume)
        started = self._clock.monotonic()
        length_s = clip.duration_ms / 1000
        try:
            await run_program(
                ["aplay", "-q", "-t", "wav", "-"], clip.wave, timeout_s=math.ceil(length_s + DEVICE_TIMEOUT_S)
            )
        except ProgramFailedError as error:
            raise OutputError(str(error)) from error
        took_s = self._clock.monotonic() - started
        if took_s < length_s * _WHOLE:
            raise OutputError(f"aplay was through {length_s:.1f} s of sound in {took_s:.1f} s")

    async def _set_volume(self, volume: int) -> None:
        if shutil.which("amixer") is None:
            return
        try:
            await run_program(["amixer", "-q", "sset", self._mixer, f"{volume}%"], b"", timeout_s=DEVICE_TIMEOUT_S)
        except ProgramFailedError as error:
            _log.warning(
                "volume_not_set", cause=str(error), fix="name the right control with --mixer; amixer lists them"
            )


def amplifier_in(path: Path | None) -> Callable[[], Amplifier]:
    """Return a reader of a file in which whoever watches the amplifier keeps `ok`, `fault` or `unknown`; no file = unknown."""

    def read() -> Amplifier:
        if path is None:
            return Amplifier.UNKNOWN
        try:
            return Amplifier(path.read_text("ascii", "replace").strip())
        except (OSError, ValueError):
            return Amplifier.UNKNOWN

    return read
