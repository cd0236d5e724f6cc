"""Makes recordings, the most urgent first, a few at a time, and remembers which could not be made. Decides nothing about messages."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from warnd.bell import Bell
from warnd.channel import Text
from warnd.clock import Clock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import recordings
from warnd.ledger.events import Stamp
from warnd.ledger.recordings import Kept
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.model.cap import Alert
from warnd.model.level import Level
from warnd.render.speech import Part, Sound, SpeechError

_WORKERS: Final = 2
_TRIED_AGAIN_S: Final = 60.0  # After a failure, should the same words be wanted again.
_REMEMBERED: Final = 256

log = structlog.get_logger(__name__)


class Studio(Protocol):
    """Whoever can make recordings."""

    def parts(self, alert: Alert, texts: Sequence[Text], *, level: Level | None, drill: bool) -> tuple[Part, ...]:
        """Return a warning's speech in speaking order."""
        ...

    async def make(self, part: Part) -> Sound:
        """Return a part's recording, or raise `SpeechError`."""
        ...


@dataclass(order=True, slots=True)
class _Order:
    urgency: int
    number: int
    part: Part = field(compare=False)


class Workshop:
    """Where recordings are made and kept.

    Args:
        most_bytes: Of recordings that are kept; those in force always are.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        studio: Studio,
        most_bytes: int,
        writer: str,
        bell: Bell,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._studio = studio
        self._most_bytes = most_bytes
        self._writer = writer
        self._bell = bell
        self._metrics = metrics
        self._orders: asyncio.PriorityQueue[_Order] = asyncio.PriorityQueue()
        self._ordered: dict[str, int] = {}
        self._making: set[str] = set()
        self._failed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._count = 0

    async def run(self) -> None:
        """Make what is ordered, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_WORKERS):
                group.create_task(self._work(), name=f"workshop:{number}")

    async def ready(self, parts: Sequence[Part]) -> dict[str, Kept]:
        """Return the recordings that are there, by the keys of their parts."""
        keys = [part.key for part in parts if part.key is not None]
        return await self._ledger.read(recordings.known, made_of=keys)

    def missing(self, parts: Sequence[Part], ready: Mapping[str, Kept]) -> list[Part]:
        """Return the parts whose recordings are not there but may still come."""
        return [part for part in parts if part.key is not None and part.key not in ready and self._may_come(part.key)]

    def order(self, parts: Sequence[Part], *, urgency: int) -> None:
        """Have recordings made; what was ordered for something less urgent moves forward."""
        for part in parts:
            assert part.key is not None
            if part.key not in self._ordered or urgency < self._ordered[part.key]:
                self._ordered[part.key] = urgency
                self._count += 1
                self._orders.put_nowait(_Order(urgency, self._count, part))

    def why_not(self, part: Part) -> str:
        """Return why a message goes out without this part's recording."""
        if part.key is None:
            return "no voice is configured for it"
        cause, _ = self._failed.get(part.key, ("not ready in time, or no room in the command", 0.0))
        return cause

    def _may_come(self, key: str) -> bool:
        _, failed_at = self._failed.get(key, ("", float("-inf")))
        return self._clock.monotonic() - failed_at > _TRIED_AGAIN_S

    async def _work(self) -> None:
        while True:
            part = (await self._orders.get()).part
            key = part.key
            assert key is not None
            if key in self._making or key not in self._ordered:
                continue  # It was ordered twice.
            self._making.add(key)
            await self._make(part, key)
            self._making.discard(key)
            self._ordered.pop(key, None)
            self._bell.ring()

    async def _make(self, part: Part, key: str) -> None:
        try:
            if await self._ledger.read(recordings.known, made_of=[key]):
                return
            sound = await self._studio.make(part)
            await self._ledger.write(
                recordings.keep,
                made_of=key,
                sha256=sound.sha256,
                media=sound.media,
                duration_ms=sound.duration_ms,
                most_bytes=self._most_bytes,
                stamp=Stamp(to_ms(self._clock.now()), self._writer),
            )
        except SpeechError as error:
            self._give_up(part, key, str(error))
        except Exception as error:  # The edge to people's sounds: whatever breaks there, the warning goes out.
            log.exception("recording_broke", lang=part.lang, error=str(error))
            self._give_up(part, key, f"{type(error).__name__}: {error}")
        else:
            self._metrics.recording("made")
            log.info("recording_made", lang=part.lang, duration_ms=sound.duration_ms, bytes=len(sound.media))

    def _give_up(self, part: Part, key: str, cause: str) -> None:
        """Remember a failure, so that the message goes out without waiting for it."""
        self._failed[key] = (cause, self._clock.monotonic())
        while len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)
        self._metrics.recording("failed")
        log.error(
            "recording_failed",
            lang=part.lang,
            cause=cause,
            meaning="the terminals' own voices speak instead",
            fix="`warnd check` tries the engine",
        )
