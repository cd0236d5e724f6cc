"""The broker and the loudspeakers behind it: what topics and commands tell them, what they play, and what they report until it is kept."""

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.seeded.judge import Call
from tests.simulation.seeded.providers import Provider, World
from tests.simulation.virtual import simulated
from warnd.channel import Outgoing, Playback, Presence

_PLAY_S = 4.0


@dataclass(slots=True)
class Loudspeaker:
    """One terminal, as DESIGN §9 has it: it obeys the highest place of a chain, and counts its receipts.

    Attributes:
        heeds: Chain -> (place, played whole, stopped).
        kept: Receipts that are not confirmed yet, oldest first.
    """

    terminal: str
    village: str
    world: World
    online: bool = True
    broken: bool = False
    boot: int = 1
    heeds: dict[tuple[bool, str], tuple[int, bool]] = field(default_factory=dict)
    counts: dict[tuple[bool, int], int] = field(default_factory=dict)
    kept: list[Playback] = field(default_factory=list)
    busy: bool = False

    def hear(self, outgoing: Outgoing) -> bool:
        """Take one command; return False if it is switched off."""
        if not self.online:
            return False
        message = outgoing.message
        key = (message.drill, message.chain_id)
        known, stopped = self.heeds.get(key, (0, False))
        stop = message.verb == "stop" or (outgoing.regions is not None and not self._meant(outgoing.regions))
        if message.seq < known or (message.seq == known and stopped and not stop):
            self._say(outgoing, "failed", reason="superseded")
            return True
        self.heeds[key] = (message.seq, stop)
        if stop:
            self._say(outgoing, "stopped")
        else:
            self.world.spawn(self._play(outgoing))
        return True

    def _meant(self, regions: tuple[str, ...]) -> bool:
        return any(self.village.startswith(region.rstrip("0")) for region in regions)

    async def _play(self, outgoing: Outgoing) -> None:
        dice, message = self.world.dice, outgoing.message
        self._say(outgoing, "received")
        drawn = 1.0 if self.world.calm else dice.random()
        if drawn < 0.1:
            self._say(outgoing, "failed", reason=dice.choice(["busy", "higher_priority", "storage", "expired"]))
            return
        await simulated(_PLAY_S * dice.uniform(0.5, 2))
        if self.heeds.get((message.drill, message.chain_id)) == (message.seq, False) and self.online:
            fault = not self.world.calm and (self.broken or drawn < 0.2)
            self._say(outgoing, "played", pass_done=1, played_ms=4000, amplifier="fault" if fault else "ok")

    def _say(self, outgoing: Outgoing, stage: Any, **told: Any) -> None:
        message = outgoing.message
        count = (message.drill, self.boot)
        self.counts[count] = self.counts.get(count, 0) + 1
        usual: dict[str, Any] = {"pass_done": 0, "played_ms": 0, "amplifier": "ok", "reason": None}
        playback = Playback(
            channel="mqtt",
            drill=message.drill,
            terminal=self.terminal,
            boot_id=f"boot-{self.boot}",
            n=self.counts[count],
            message_id=message.id,
            seq=message.seq,
            stage=stage,
            at=None,
            **(usual | told),
        )
        self.kept.append(playback)
        if self.world.dice.random() < 0.85:  # Else the line drops it, and the next look at what is kept brings it.
            self.world.spawn(self.report(playback))

    async def report(self, playback: Playback) -> None:
        """Bring one receipt; forget what is confirmed."""
        await simulated(self.world.dice.choice([0.0, 0.2, 1.0, 3.0]))
        if not self.online or playback not in self.kept:
            return
        answer = await self.world.brought(playback)
        if answer is None:
            return
        reached = answer[0]
        same = [one for one in self.kept if (one.drill, one.boot_id) == (playback.drill, playback.boot_id)]
        if reached is None or reached < 0 or reached > self.counts[playback.drill, int(playback.boot_id[5:])]:
            self.world.judge.complain(f"{self.terminal}: {reached} receipts are said to be kept")
            return
        gone = [one for one in same if one.n <= reached]
        self.world.judge.promised |= {(one.terminal, int(one.drill), one.boot_id, one.n) for one in gone}
        self.kept = [one for one in self.kept if one not in gone]
        left = [one for one in same if one not in gone]
        if left:  # What the line has dropped comes again.
            await simulated(5.0)
            await self.report(left[0])

    def presence(self) -> None:
        """Say that it is on line or off."""
        for drill in (False, True):
            said = Presence(
                "mqtt", drill, self.terminal, self.online, f"boot-{self.boot}", 60, "synced", "ok", 80, None
            )
            self.world.later(0.1, said)


class Broker(Provider):
    """The broker: topics with what was retained there, and who reads them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.speakers: list[Loudspeaker] = []
        self.retained: dict[tuple[bool, str, str], Call] = {}

    def reach(self, call: Call) -> None:
        """Hand a command on, and keep what stands on a topic."""
        kind, _, target = call.outgoing.address.partition(":")
        for speaker in self.speakers:
            if self._reads(speaker, call.outgoing):
                call.heard |= speaker.hear(call.outgoing)
        if kind == "region":
            message = call.outgoing.message
            self.retained[message.drill, target, message.chain_id] = call

    def forget(self) -> None:
        """Come back without memory."""
        self.retained.clear()

    def back(self, speaker: Loudspeaker) -> None:
        """Let a loudspeaker come back on line: it gets what is retained and brings what it kept."""
        speaker.online = True
        speaker.presence()
        for call in self.retained.values():
            if self._reads(speaker, call.outgoing):
                call.heard |= speaker.hear(call.outgoing)
        if speaker.kept:
            self.world.spawn(speaker.report(speaker.kept[0]))

    def _reads(self, speaker: Loudspeaker, outgoing: Outgoing) -> bool:
        kind, _, target = outgoing.address.partition(":")
        if kind == "terminal":
            return target == speaker.terminal
        return speaker.village.startswith(target.rstrip("0"))
