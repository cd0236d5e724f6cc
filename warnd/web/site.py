"""The public site's picture of what is in force, shared by its pages, feed and streams.

However many people look, the ledger is asked a few times a second at most; and nobody waits longer than that for what is new.
"""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.ledger import views
from warnd.ledger.store import Ledger
from warnd.ledger.views import PublicWarning
from warnd.model import cap
from warnd.model.cap import Alert, CapError

log = structlog.get_logger(__name__)

FRESH_S = 0.2  # A picture younger than this is not taken again, even if the bell rang.
STALE_S = 1.0  # One older than this is: warnings run out without a ring.
_ALERTS_KEPT = 1_000
_CHANGES_KEPT = (
    256  # What a stream that was cut off can still be told one by one; after that it gets the whole picture.
)
_FINDS_AT_ONCE = 2  # Visitors wait for each other before they keep the ledger from those who work with it.


@dataclass(frozen=True, slots=True)
class Shown:
    """One public warning with what its document says."""

    warning: PublicWarning
    alert: Alert


@dataclass(frozen=True, slots=True)
class Picture:
    """What is in force, gravest first, and the Cancels of the last day.

    Attributes:
        number: Counts the versions since the daemon started, from 1.
        version: Changes whenever any of it does.
        changed_at: When this version was first seen.
    """

    number: int
    version: str
    changed_at: datetime
    warnings: tuple[Shown, ...]
    cancels: tuple[Shown, ...]

    @property
    def all(self) -> tuple[Shown, ...]:
        """Warnings and Cancels together."""
        return (*self.warnings, *self.cancels)


@dataclass(frozen=True, slots=True)
class Change:
    """How one picture became the next.

    Attributes:
        number: Of the picture that came.
        warnings: Ids of what was in force from then on.
        new: What came: id, level's word (None for a Cancel), kind.
        gone: What left the front page: id, and why: cancelled, superseded or expired.
    """

    number: int
    version: str
    at: datetime
    warnings: tuple[str, ...]
    new: tuple[tuple[str, str | None, str], ...]
    gone: tuple[tuple[str, str], ...]


class Site:
    """Reads the ledger for the public.

    Attributes:
        run: Marks the numbers of this start's pictures; those of another start mean nothing here.
    """

    def __init__(self, *, ledger: Ledger, clock: Clock, bell: Bell) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bell = bell
        self._turn = asyncio.Lock()
        self._finding = asyncio.Semaphore(_FINDS_AT_ONCE)
        self._picture: Picture | None = None
        self._rings = -1
        self._taken_at = 0.0
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._unreadable: set[str] = set()  # Said once, not once a second.
        self._changes: deque[Change] = deque(maxlen=_CHANGES_KEPT)
        self.run = f"{round(clock.now().timestamp() * 1000):x}"

    async def picture(self) -> Picture:
        """Return what is in force now; at most `STALE_S` old, and at most `FRESH_S` behind the bell."""
        async with self._turn:  # Many who ask at once share one look.
            age = self._clock.monotonic() - self._taken_at
            if self._picture is None or age > STALE_S or (age >= FRESH_S and self._rings != self._bell.rings):
                self._picture = await self._look(self._picture)
            return self._picture

    async def settled(self) -> Picture:
        """Return what is in force now, not behind the bell: for streams, which will not ask again before the next ring."""
        picture = await self.picture()
        if self._rings == self._bell.rings:
            return picture
        await self._clock.sleep(FRESH_S)
        return await self.picture()

    def since(self, number: int) -> list[Change] | None:
        """Return the changes after the picture with this number, oldest first; None = they are no longer all known."""
        latest = self._picture.number if self._picture is not None else 0
        if not latest - len(self._changes) <= number <= latest:
            return None
        return [each for each in self._changes if each.number > number]

    async def find(self, warning_id: str) -> Shown | None:
        """Return one public warning, in force or past; None if there is none of this id that the public may see."""
        async with self._finding:
            found = await self._ledger.read(views.public_warning, warning_id=warning_id, now=self._clock.now())
        return None if found is None else await self._with_alert(found)

    async def _look(self, before: Picture | None) -> Picture:
        self._rings, self._taken_at = self._bell.rings, self._clock.monotonic()
        now = self._clock.now()
        found = await self._ledger.read(views.public_warnings, now=now)
        version = version_of(found)
        if before is not None and before.version == version:
            return before
        shown = [each for each in [await self._with_alert(one) for one in found] if each is not None]
        picture = Picture(
            number=1 if before is None else before.number + 1,
            version=version,
            changed_at=now,
            warnings=tuple(each for each in shown if not each.warning.cancels),
            cancels=tuple(each for each in shown if each.warning.cancels),
        )
        if before is not None:
            self._changes.append(_change(before, picture))
        return picture

    async def _with_alert(self, warning: PublicWarning) -> Shown | None:
        """Return the warning with its document read; documents never change, and a large one takes a while.

        None if it cannot be read: an older version took what this one does not. The others are shown all the same.
        """
        alert = self._alerts.pop(warning.id, None)
        if alert is None:
            try:
                alert = await asyncio.to_thread(cap.parse, warning.document)
            except CapError as error:
                if warning.id not in self._unreadable:
                    log.error("document_unreadable", warning=warning.id, error=str(error))
                    self._unreadable.add(warning.id)
                return None
        self._alerts[warning.id] = alert
        while len(self._alerts) > _ALERTS_KEPT:
            self._alerts.popitem(last=False)
        return Shown(warning, alert)


def version_of(warnings: Iterable[PublicWarning]) -> str:
    """Return the mark of a picture with these warnings."""
    digest = hashlib.sha256()
    for each in warnings:
        digest.update(f"{each.id} {each.state} {each.replaced_by}\n".encode())
    return digest.hexdigest()[:16]


def _change(before: Picture, after: Picture) -> Change:
    known = {each.warning.id for each in before.all}
    stays = {each.warning.id for each in after.warnings}
    return Change(
        number=after.number,
        version=after.version,
        at=after.changed_at,
        warnings=tuple(each.warning.id for each in after.warnings),
        new=tuple(_brief(each.warning) for each in after.all if each.warning.id not in known),
        gone=tuple(
            (each.warning.id, _end_of(each.warning, after)) for each in before.warnings if each.warning.id not in stays
        ),
    )


def _brief(warning: PublicWarning) -> tuple[str, str | None, str]:
    level = None if warning.cancels or warning.level is None else warning.level.word
    return warning.id, level, "cancel" if warning.cancels else "warning"


def _end_of(warning: PublicWarning, after: Picture) -> str:
    """Return why a warning is no longer in force; a Cancel wins over an Update of the same chain."""
    if any(each.warning.chain_id == warning.chain_id for each in after.cancels):
        return "cancelled"
    if any(each.warning.chain_id == warning.chain_id for each in after.warnings):
        return "superseded"
    return "expired"
