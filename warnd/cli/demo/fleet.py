"""The county's loudspeakers: the reference terminal's own code, silent but in true time, each with the fault of its part."""

import asyncio
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.cli.demo.cast import Speaker as Fault
from warnd.cli.demo.people import speaker_ids
from warnd.cli.demo.stage import Stage
from warnd.clock import Clock
from warnd.model.loudspeaker import LIVE_ROOT, Amplifier, Lineage, Trust, TrustedKey, public_bytes, trust_of
from warnd.terminal import Access, Place, Speaker, Terminal
from warnd.terminal.output import Nowhere
from warnd.terminal.voice import Estimate, NoVoiceError
from warnd.terminal.wave import Clip

_SEED = 13


class LostVoice:
    """Says nothing in any language."""

    async def say(self, lang: str, text: str) -> Clip:
        """Fail.

        Raises:
            NoVoiceError: Always.
        """
        raise NoVoiceError(f"the voice for {lang} is gone; {len(text)} characters stay unsaid")


class Fleet:
    """All loudspeakers of the county in this process."""

    def __init__(self, stage: Stage, *, mqtt_port: int, clock: Clock) -> None:
        self._stage = stage
        self._port = mqtt_port
        self._clock = clock
        self._chance = Random(_SEED)  # noqa: S311 - spreads reconnections, protects nothing
        self._voice = Estimate()  # As long as espeak-ng would speak, without a hundred of them at once.
        self._power = asyncio.Event()

    @property
    def connecting(self) -> int:
        """How many loudspeakers come online at once."""
        return sum(
            fault not in (Fault.DARK, Fault.LATE) for part in self._stage.cast.parts.values() for fault in part.speakers
        )

    def power_returns(self) -> None:
        """Give the late loudspeakers their power."""
        self._power.set()

    async def run(self) -> None:
        """Be the county's loudspeakers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for code, ids in speaker_ids(self._stage.cast).items():
                for one, fault in zip(ids, self._stage.cast.parts[code].speakers, strict=True):
                    group.create_task(self._one(one, code, fault), name=one)

    async def _one(self, one: str, code: str, fault: Fault) -> None:
        if fault is Fault.DARK:
            return
        if fault is Fault.LATE:
            await self._power.wait()
        await self._terminal(one, code, fault).run()

    def _terminal(self, one: str, code: str, fault: Fault) -> Terminal:
        place = Place(
            terminal=one,
            lineage=Lineage.parse(code),
            key=self._stage.speaker_keys[one],
            trust=self._trust(fault),
            state=self._stage.folder / "terminals" / one,
        )
        access = Access("127.0.0.1", self._port, username=one, password=self._stage.passwords[one])
        return Terminal(place, speaker=self._speaker(fault), clock=self._clock, chance=self._chance, live=access)

    def _trust(self, fault: Fault) -> Trust:
        centre = Ed25519PrivateKey.generate() if fault is Fault.STRANGER else self._stage.daemon_key
        return trust_of([TrustedKey(public_key=public_bytes(centre), root=LIVE_ROOT, regions=None, not_after=None)])

    def _speaker(self, fault: Fault) -> Speaker:
        amplifier = Amplifier.FAULT if fault is Fault.BROKEN else Amplifier.OK
        voice = LostVoice() if fault is Fault.MUTE else self._voice
        return Speaker(voice, Nowhere(self._clock, amplifier=lambda: amplifier), listened=False)
