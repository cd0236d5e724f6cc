"""Sees to it that what a message's commands say is decided once, with the recordings that are ready in time.

A second command of the same message with other content is refused by every terminal (DESIGN §9), so the decision is committed before
the first command leaves. Making sound takes a program and time: it begins when a warning is in review or released, outside of the lanes,
and a warning whose recordings are late goes out as text alone, for the terminals' own voices. A stop waits for nothing and carries none.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Audio, Failed, Text
from warnd.clock import Clock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import recordings
from warnd.ledger.events import Stamp
from warnd.ledger.recordings import Kept, Spoken
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.model.cap import Alert
from warnd.model.level import Level
from warnd.render.speech import Part, Sound, SpeechError

PURPOSE: Final = "warning"  # Of speech: only what is played has recordings.
ROOM_BYTES: Final = 9_600
"""Of JSON that all speech of one command may have: with everything else it stays within the 16 KiB of a signed command."""

_ENTRY_BYTES: Final = 60  # Of JSON around an entry's text and recording.
_AUDIO_BYTES: Final = 130  # Of a recording's hash, length and keys.
_LOOK_S: Final = 1.0
_SOON_S: Final = 0.2
_SWIFT_S: Final = 2.0  # For which a try comes back soon; an engine that takes longer is not worth so many looks.
_COMMIT_S: Final = 0.1  # In which the outcome of a try is recorded, and from then on its rest counts.
_RETRY_S: Final = 1.0
_REMEMBERED: Final = 64  # Messages and failures.
_TRIED_AGAIN_S: Final = 60.0  # After a failure, should the same words be wanted again.
_WORKERS: Final = 2
_IN_REVIEW: Final = 99  # An urgency behind everything that is released.

log = structlog.get_logger(__name__)


class Studio(Protocol):
    """Whoever makes recordings."""

    def parts(self, alert: Alert, texts: Sequence[Text], *, level: Level | None, drill: bool) -> tuple[Part, ...]:
        """Return a warning's speech in speaking order."""
        ...

    async def make(self, part: Part) -> Sound:
        """Return a part's recording, or raise `SpeechError`."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Speech that is asked for.

    Attributes:
        message_no: None while the warning is in review.
        texts: As rendered for loudspeakers.
    """

    message_no: int | None
    alert: Alert
    texts: tuple[Text, ...]
    level: Level | None
    drill: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What a centre has decided about its recordings.

    Attributes:
        url: Where terminals reach this daemon, without a slash at its end.
        wait_s: For which a command may wait for its recordings.
        most_bytes: Of recordings that are kept.
    """

    url: str
    wait_s: float
    most_bytes: int


@dataclass(slots=True)
class _Asked:
    """A message whose speech was asked for; `since` on the clock's monotonic scale, None = by nobody who waits."""

    parts: tuple[Part, ...]
    since: float | None = None


@dataclass(order=True, slots=True)
class _Order:
    urgency: int
    number: int
    part: Part = field(compare=False)


class Recordings:
    """The recordings of one daemon. Without a studio it only keeps to what was decided while there was one."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        studio: Studio | None,
        limits: Limits,
        writer: str,
        bell: Bell,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._studio = studio
        self._limits = limits
        self._writer = writer
        self._bell = bell
        self._metrics = metrics
        self._asked: OrderedDict[int, _Asked] = OrderedDict()
        self._looked_at: OrderedDict[str, None] = OrderedDict()
        self._orders: asyncio.PriorityQueue[_Order] = asyncio.PriorityQueue()
        self._ordered: dict[str, int] = {}
        self._failed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._count = 0
        self._ring_in: asyncio.Queue[float] = asyncio.Queue()

    async def texts(self, wanted: Wanted, *, urgency: int) -> tuple[Text, ...] | Failed:
        """Return what the commands of a message carry, decided now at the latest, or that it takes a moment more.

        Raises:
            SQLAlchemyError: The ledger cannot say or keep it.
        """
        assert wanted.message_no is not None
        stands = await self._ledger.read(recordings.decided, message_no=wanted.message_no, purpose=PURPOSE)
        if stands:
            return _texts(stands)
        if self._studio is None:
            return wanted.texts
        asked = self._asked_for(wanted, self._studio)
        now = self._clock.monotonic()
        asked.since = now if asked.since is None else asked.since
        ready = await self._ready(asked.parts)
        missing = [part for part in asked.parts if self._may_come(part, ready)]
        left_s = asked.since + self._limits.wait_s - now
        if missing and left_s > 0:
            self._order(missing, urgency=urgency)
            return self._in_a_moment(now - asked.since, left_s)
        stands = await self._decide(wanted.message_no, wanted.texts, asked.parts, ready)
        self._asked.pop(wanted.message_no, None)
        return _texts(stands)

    async def run(
        self, *, message: Callable[[int], Awaitable[Wanted]], waiting: Callable[[str], Awaitable[Wanted | None]]
    ) -> None:
        """Make recordings, also of what nobody has asked for yet, until cancelled.

        Args:
            message: Renders the speech of a message by its number.
            waiting: Renders that of a warning in review by its id; None = it cannot be rendered.
        """
        if self._studio is None:
            return
        async with asyncio.TaskGroup() as group:
            for number in range(_WORKERS):
                group.create_task(self._work(self._studio), name=f"recording:{number}")
            group.create_task(self._ring(), name="recording:ring")
            group.create_task(self._ahead(self._studio, message=message, waiting=waiting), name="recording:ahead")

    # What is decided.

    async def _ready(self, parts: Sequence[Part]) -> dict[str, Kept]:
        keys = [part.key for part in parts if part.key is not None]
        return await self._ledger.read(recordings.known, made_of=keys)

    def _may_come(self, part: Part, ready: dict[str, Kept]) -> bool:
        if part.key is None or part.key in ready:
            return False
        _, failed_at = self._failed.get(part.key, ("", float("-inf")))
        return self._clock.monotonic() - failed_at > _TRIED_AGAIN_S

    def _in_a_moment(self, waited_s: float, left_s: float) -> Failed:
        """Let the try be due again soon; nobody else of its lane waits for that."""
        again_s = min(_SOON_S if waited_s < _SWIFT_S else _LOOK_S, left_s)
        self._ring_in.put_nowait(again_s)
        return Failed("its speech is being made", retry="throttled", retry_after_s=again_s)

    async def _decide(
        self, message_no: int, texts: Sequence[Text], parts: Sequence[Part], ready: dict[str, Kept]
    ) -> list[Spoken]:
        speech = _fitting([(part, self._entry(part, ready)) for part in parts if _stays(part, ready)])
        without = [part.lang for part, one in _paired(parts, speech) if one is None or one.sha256 is None]
        if without:
            why = {part.lang: self._why_not(part) for part in parts if part.lang in without}
            log.warning("speech_without_recording", message_no=message_no, languages=why)
        return await self._ledger.write(
            recordings.decide,
            message_no=message_no,
            purpose=PURPOSE,
            speech=speech or [Spoken(text.lang, text.text) for text in texts],
            bare=[Spoken(text.lang, text.text) for text in texts],
            stamp=self._stamp(),
        )

    def _entry(self, part: Part, ready: dict[str, Kept]) -> Spoken:
        kept = ready.get(part.key) if part.key is not None else None
        if kept is None:
            return Spoken(part.lang, part.text)
        return Spoken(
            part.lang,
            part.text,
            sha256=kept.sha256,
            url=f"{self._limits.url}/audio/{kept.sha256}.mp3",
            duration_ms=max(1, kept.duration_ms),
        )

    def _why_not(self, part: Part) -> str:
        if part.key is None:
            return "no voice is configured for it"
        cause, _ = self._failed.get(part.key, ("not ready in time, or no room in the command", 0.0))
        return cause

    # What is made.

    def _asked_for(self, wanted: Wanted, studio: Studio) -> _Asked:
        assert wanted.message_no is not None
        asked = self._asked.get(wanted.message_no)
        if asked is None:
            asked = _Asked(_parts(wanted, studio))
            self._asked[wanted.message_no] = asked
            _forget_oldest(self._asked)
        return asked

    def _order(self, parts: Sequence[Part], *, urgency: int) -> None:
        for part in parts:
            assert part.key is not None
            if (
                self._ordered.get(part.key, urgency + 1) > urgency
            ):  # Again, if it was ordered for something less urgent.
                self._ordered[part.key] = urgency
                self._count += 1
                self._orders.put_nowait(_Order(urgency, self._count, part))

    async def _work(self, studio: Studio) -> None:
        while True:
            part = (await self._orders.get()).part
            assert part.key is not None
            if part.key in self._ordered:
                await self._make(studio, part, part.key)
                self._ordered.pop(part.key, None)
                self._bell.ring()

    async def _make(self, studio: Studio, part: Part, key: str) -> None:
        try:
            if await self._ledger.read(recordings.known, made_of=[key]):
                return
            sound = await studio.make(part)
            await self._ledger.write(
                recordings.keep,
                made_of=key,
                sha256=sound.sha256,
                media=sound.media,
                duration_ms=sound.duration_ms,
                most_bytes=self._limits.most_bytes,
                stamp=self._stamp(),
            )
        except SpeechError as error:
            self._give_up(part, key, str(error))
        except (SQLAlchemyError, ValueError) as error:
            self._give_up(part, key, f"{type(error).__name__}: {error}")
        else:
            self._metrics.recording("made")
            log.info("recording_made", lang=part.lang, duration_ms=sound.duration_ms, bytes=len(sound.media))

    def _give_up(self, part: Part, key: str, cause: str) -> None:
        """Remember a failure, so that the message goes out without waiting; a later message with other words tries again."""
        self._failed[key] = (cause, self._clock.monotonic())
        _forget_oldest(self._failed)
        self._metrics.recording("failed")
        log.error(
            "recording_failed",
            lang=part.lang,
            cause=cause,
            meaning="the terminals' own voices speak instead",
            fix="`warnd check` tries the engine",
        )

    async def _ring(self) -> None:
        """Wake the lanes when a try that waits for its recordings is due again; else they would look a second later."""
        while True:
            await self._clock.sleep(await self._ring_in.get() + _COMMIT_S)
            while not self._ring_in.empty():
                self._ring_in.get_nowait()
            self._bell.ring()

    async def _ahead(
        self,
        studio: Studio,
        *,
        message: Callable[[int], Awaitable[Wanted]],
        waiting: Callable[[str], Awaitable[Wanted | None]],
    ) -> None:
        """Order what will be needed."""
        while True:
            rings = self._bell.rings
            try:
                await self._look_ahead(studio, message=message, waiting=waiting)
            except (SQLAlchemyError, ValueError, LookupError) as error:
                log.error("recordings_not_prepared", error=str(error), meaning="they are made when they are needed")
                await self._clock.sleep(_RETRY_S)
            await self._bell.wait(_LOOK_S, since=rings)

    async def _look_ahead(
        self,
        studio: Studio,
        *,
        message: Callable[[int], Awaitable[Wanted]],
        waiting: Callable[[str], Awaitable[Wanted | None]],
    ) -> None:
        now_ms = to_ms(self._clock.now())
        for row in await self._ledger.read(recordings.undecided, now_ms=now_ms):
            if row.no not in self._asked:
                asked = self._asked_for(await message(row.no), studio)
                await self._order_missing(asked.parts, urgency=row.urgency)
        for warning_id in await self._ledger.read(recordings.in_review, now_ms=now_ms):
            if warning_id not in self._looked_at:
                self._looked_at[warning_id] = None
                _forget_oldest(self._looked_at)
                wanted = await waiting(warning_id)
                if wanted is not None:
                    await self._order_missing(_parts(wanted, studio), urgency=_IN_REVIEW)

    async def _order_missing(self, parts: Sequence[Part], *, urgency: int) -> None:
        ready = await self._ready(parts)
        self._order([part for part in parts if self._may_come(part, ready)], urgency=urgency)

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.now()), self._writer)


def _parts(wanted: Wanted, studio: Studio) -> tuple[Part, ...]:
    return studio.parts(wanted.alert, wanted.texts, level=wanted.level, drill=wanted.drill)


def _stays(part: Part, ready: dict[str, Kept]) -> bool:
    return not part.optional or part.key in ready


def _paired(parts: Sequence[Part], speech: Sequence[Spoken]) -> list[tuple[Part, Spoken | None]]:
    decided = {one.lang: one for one in speech}
    return [(part, decided.get(part.lang)) for part in parts]


def _fitting(entries: Sequence[tuple[Part, Spoken]]) -> list[Spoken]:
    """Return what a signed command has room for; no text ever gives way to a recording.

    Recordings of texts go first, from the last on, because a terminal's own voice can say them; then languages that it cannot say.
    """
    for chosen in (entries, [each for each in entries if not each[0].optional]):
        fitting = [one for _, one in chosen]
        for place in reversed(range(len(chosen))):
            if not chosen[place][0].optional and not _fits(fitting):
                fitting[place] = Spoken(fitting[place].lang, fitting[place].text)
        if _fits(fitting):
            break
    return fitting


def _fits(speech: Sequence[Spoken]) -> bool:
    return sum(map(_size, speech)) <= ROOM_BYTES


def _size(one: Spoken) -> int:
    escaped = one.text.count('"') + one.text.count("\\")
    recording = _AUDIO_BYTES + len(one.url) if one.url is not None else 0
    return _ENTRY_BYTES + len(one.text.encode()) + escaped + recording


def _texts(speech: Sequence[Spoken]) -> tuple[Text, ...]:
    return tuple(Text(lang=one.lang, text=one.text, audio=_audio(one)) for one in speech)


def _audio(one: Spoken) -> Audio | None:
    if one.sha256 is None or one.url is None or one.duration_ms is None:
        return None
    return Audio(one.url, sha256=one.sha256, duration_ms=one.duration_ms)


def _forget_oldest(
    kept: OrderedDict[int, _Asked] | OrderedDict[str, tuple[str, float]] | OrderedDict[str, None],
) -> None:
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
