"""Sounds one pass after the other, and falls silent at once when it is told to.

What is played next, and what is reported, is the broadcast's to say; time is measured here.
"""

import asyncio
from typing import Final

from warnd.clock import Clock
from warnd.model.loudspeaker import Why
from warnd.terminal.broadcast import Broadcast, OnAir
from warnd.terminal.changes import Changes, wait_or_sleep
from warnd.terminal.memory import Memory
from warnd.terminal.output import OutputError
from warnd.terminal.speaker import Speaker
from warnd.terminal.wave import Clip

_NEVER_S: Final = 3600.0


class Player:
    """The voice of one terminal."""

    def __init__(
        self, broadcast: Broadcast, speaker: Speaker, *, memory: Memory, clock: Clock, changes: Changes
    ) -> None:
        self._broadcast = broadcast
        self._speaker = speaker
        self._memory = memory
        self._clock = clock
        self._changes = changes

    async def run(self) -> None:
        """Play until cancelled."""
        while True:
            change = self._changes.next()
            air = self._broadcast.next()
            if air is None:
                await wait_or_sleep(change, self._clock, self._broadcast.idle_s())
            else:
                await self._sound(air)

    async def _sound(self, air: OnAir) -> None:
        measured = _Measured()
        async with asyncio.TaskGroup() as group:
            voice = group.create_task(self._utter(air, measured), name="voice")
            watch = group.create_task(self._watch(air, voice), name="watch")
            voice.add_done_callback(lambda _: watch.cancel())
        if measured.failure is not None:
            self._broadcast.failed(measured.played_ms, reason=measured.failure)
        elif measured.whole:
            self._broadcast.whole(measured.played_ms)
        else:
            self._broadcast.cut_short(measured.played_ms)

    async def _utter(self, air: OnAir, measured: "_Measured") -> None:
        prepared = await self._speaker.prepare(air.command)
        if not prepared.clips:
            measured.failure = prepared.trouble or Why.NO_VOICE
            return
        volume = self._memory.volume if air.command.volume is None else air.command.volume
        self._broadcast.sounding(trouble=prepared.trouble)
        try:
            for clip in prepared.clips:
                await self._measure(clip, volume, measured)
        except OutputError:
            measured.failure = Why.AMPLIFIER
        else:
            measured.whole = True

    async def _measure(self, clip: Clip, volume: int, measured: "_Measured") -> None:
        """Sound one clip and count the milliseconds, also when it is cut off."""
        started = self._clock.monotonic()
        try:
            await self._speaker.sound(clip, volume)
        finally:
            took_ms = round((self._clock.monotonic() - started) * 1000)
            measured.played_ms += min(took_ms, clip.duration_ms)

    async def _watch(self, air: OnAir, voice: asyncio.Task[None]) -> None:
        while air.cut is None:
            left_s = self._broadcast.time_left_s()
            if left_s <= 0:
                break
            await wait_or_sleep(self._changes.next(), self._clock, min(left_s, _NEVER_S))
        voice.cancel()


class _Measured:
    """How a pass went."""

    def __init__(self) -> None:
        self.played_ms = 0
        self.whole = False
        self.failure: Why | None = None
