"""Sees to it that what a message's commands say is decided once, with the recordings that are ready in time.

A second command of the same message with other content is refused by every terminal (DESIGN §9), so the decision is committed before
the first command leaves. Making sound takes a program and time: it begins when a warning is in review or released, outside of the lanes,
and a warning whose recordings are late goes out as text alone, for the terminals' own voices. A stop waits for nothing and carries none.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.channel import Audio, Failed, Text
from warnd.clock import Clock
from warnd.dispatch.quiet import Quiet
from warnd.dispatch.workshop import Studio, Workshop
from warnd.ledger import recordings
from warnd.ledger.events import Stamp
from warnd.ledger.recordings import Kept, Spoken
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.model.cap import Alert
from warnd.model.level import Level
from warnd.render.speech import Part

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
_REMEMBERED: Final = 64  # Messages that wait for their recordings.
_LOOKS: Final = 1_000  # Messages and warnings that were looked at; more than a look ahead finds.
_IN_REVIEW: Final = 99  # An urgency behind everything that is released.

log = structlog.get_logger(__name__)


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
    """

    url: str
    wait_s: float


@dataclass(slots=True)
class _Asked:
    """A message whose speech was asked for; `since` on the clock's monotonic scale, None = by nobody who waits."""

    parts: tuple[Part, ...]
    since: float | None = None


class Recordings:
    """What the commands of one daemon say. Without a studio it only keeps to what was decided while there was one."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        studio: Studio | None,
        workshop: Workshop | None,
        limits: Limits,
        writer: str,
        bell: Bell,
        quiet: Quiet,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._making = None if studio is None or workshop is None else (studio, workshop)
        self._limits = limits
        self._writer = writer
        self._bell = bell
        self._quiet = quiet
        self._asked: OrderedDict[int, _Asked] = OrderedDict()
        self._looked_at: OrderedDict[str, None] = OrderedDict()
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
        if self._making is None:
            return wanted.texts
        studio, workshop = self._making
        asked = self._asked_for(wanted, studio)
        now = self._clock.monotonic()
        asked.since = now if asked.since is None else asked.since
        ready = await workshop.ready(asked.parts)
        missing = workshop.missing(asked.parts, ready)
        left_s = asked.since + self._limits.wait_s - now
        if missing and left_s > 0:
            workshop.order(missing, urgency=urgency)
            return self._in_a_moment(now - asked.since, left_s)
        stands = await self._decide(wanted, asked.parts, ready, workshop)
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
        if self._making is None:
            return
        studio, workshop = self._making
        async with asyncio.TaskGroup() as group:
            group.create_task(workshop.run(), name="recordings:workshop")
            group.create_task(self._ring(), name="recordings:ring")
            while True:
                rings = self._bell.rings
                await self._ahead(_Ahead(studio, workshop, message, waiting))
                await self._bell.wait(self._quiet.pause_s(_LOOK_S), since=rings)

    # What is decided.

    def _in_a_moment(self, waited_s: float, left_s: float) -> Failed:
        """Let the try be due again soon; nobody else of its lane waits for that."""
        again_s = min(_SOON_S if waited_s < _SWIFT_S else _LOOK_S, left_s)
        self._ring_in.put_nowait(again_s)
        return Failed("its speech is being made", retry="throttled", retry_after_s=again_s)

    async def _decide(
        self, wanted: Wanted, parts: Sequence[Part], ready: Mapping[str, Kept], workshop: Workshop
    ) -> list[Spoken]:
        assert wanted.message_no is not None
        speech = _fitting(
            [(part, self._entry(part, ready)) for part in parts if not part.optional or part.key in ready]
        )
        recorded = {one.lang for one in speech if one.sha256 is not None}
        if without := {part.lang: workshop.why_not(part) for part in parts if part.lang not in recorded}:
            log.warning("speech_without_recording", message_no=wanted.message_no, languages=without)
        bare = [Spoken(text.lang, text.text) for text in wanted.texts]
        return await self._ledger.write(
            recordings.decide,
            message_no=wanted.message_no,
            purpose=PURPOSE,
            speech=speech or bare,
            bare=bare,
            stamp=Stamp(to_ms(self._clock.now()), self._writer),
        )

    def _entry(self, part: Part, ready: Mapping[str, Kept]) -> Spoken:
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

    def _asked_for(self, wanted: Wanted, studio: Studio) -> _Asked:
        assert wanted.message_no is not None
        asked = self._asked.get(wanted.message_no)
        if asked is None:
            asked = _Asked(_parts(wanted, studio))
            self._asked[wanted.message_no] = asked
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
        return asked

    async def _ring(self) -> None:
        """Wake the lanes when a try that waits for its recordings is due again; else they would look a second later."""
        while True:
            await self._clock.sleep(await self._ring_in.get() + _COMMIT_S)
            while not self._ring_in.empty():
                self._ring_in.get_nowait()
            self._bell.ring()

    # What will be needed.

    async def _ahead(self, ahead: "_Ahead") -> None:
        """Order recordings that nobody has asked for yet; one warning that cannot be rendered holds up no other."""
        now_ms = to_ms(self._clock.now())
        try:
            undecided = await self._ledger.read(recordings.undecided, now_ms=now_ms)
            in_review = await self._ledger.read(recordings.in_review, now_ms=now_ms)
            for row in undecided:
                if self._first_look(f"message {row.no}"):
                    await self._prepare(ahead, ahead.message(row.no), urgency=row.urgency)
            for warning_id in in_review:
                if self._first_look(f"warning {warning_id}"):
                    await self._prepare(ahead, ahead.waiting(warning_id), urgency=_IN_REVIEW)
        except SQLAlchemyError as error:
            log.error("recordings_not_prepared", cause=str(error), meaning="they are made when they are needed")
            await self._clock.sleep(_RETRY_S)

    def _first_look(self, what: str) -> bool:
        if what in self._looked_at:
            return False
        self._looked_at[what] = None
        while len(self._looked_at) > _LOOKS:
            self._looked_at.popitem(last=False)
        return True

    async def _prepare(self, ahead: "_Ahead", rendering: Awaitable[Wanted | None], *, urgency: int) -> None:
        try:
            wanted = await rendering
        except (ValueError, LookupError) as error:
            log.warning("speech_not_prepared", cause=str(error))
            return
        if wanted is not None:
            parts = _parts(wanted, ahead.studio)
            ahead.workshop.order(ahead.workshop.missing(parts, await ahead.workshop.ready(parts)), urgency=urgency)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What preparing takes."""

    studio: Studio
    workshop: Workshop
    message: Callable[[int], Awaitable[Wanted]]
    waiting: Callable[[str], Awaitable[Wanted | None]]


def _parts(wanted: Wanted, studio: Studio) -> tuple[Part, ...]:
    return studio.parts(wanted.alert, wanted.texts, level=wanted.level, drill=wanted.drill)


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
