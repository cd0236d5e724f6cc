"""The public site's picture of what is in force, shared by its pages, feed and streams.

However many people look, the ledger is asked a few times a second at most; and nobody waits longer than that for what is new.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from warnd.bell import Bell
from warnd.clock import Clock
from warnd.ledger import views
from warnd.ledger.store import Ledger
from warnd.ledger.views import PublicWarning
from warnd.model import cap
from warnd.model.cap import Alert

FRESH_S = 0.2  # A picture younger than this is not taken again, even if the bell rang.
STALE_S = 1.0  # One older than this is: warnings run out without a ring.
_ALERTS_KEPT = 1_000
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
        version: Changes whenever any of it does.
        changed_at: When this version was first seen.
    """

    version: str
    changed_at: datetime
    warnings: tuple[Shown, ...]
    cancels: tuple[Shown, ...]


class Site:
    """Reads the ledger for the public."""

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

    async def find(self, warning_id: str) -> Shown | None:
        """Return one public warning, in force or past; None if there is none of this id that the public may see."""
        async with self._finding:
            found = await self._ledger.read(views.public_warning, warning_id=warning_id, now=self._clock.now())
        return None if found is None else await self._with_alert(found)

    async def _look(self, before: Picture | None) -> Picture:
        self._rings, self._taken_at = self._bell.rings, self._clock.monotonic()
        now = self._clock.now()
        found = await self._ledger.read(views.public_warnings, now=now)
        version = _version(found)
        if before is not None and before.version == version:
            return before
        shown = [await self._with_alert(each) for each in found]
        return Picture(
            version=version,
            changed_at=now,
            warnings=tuple(each for each in shown if not each.warning.cancels),
            cancels=tuple(each for each in shown if each.warning.cancels),
        )

    async def _with_alert(self, warning: PublicWarning) -> Shown:
        """Return the warning with its document read; documents never change, and a large one takes a while."""
        alert = self._alerts.pop(warning.id, None)
        if alert is None:
            alert = await asyncio.to_thread(cap.parse, warning.document)
        self._alerts[warning.id] = alert
        while len(self._alerts) > _ALERTS_KEPT:
            self._alerts.popitem(last=False)
        return Shown(warning, alert)


def _version(warnings: Sequence[PublicWarning]) -> str:
    digest = hashlib.sha256()
    for each in warnings:
        digest.update(f"{each.id} {each.state} {each.replaced_by}\n".encode())
    return digest.hexdigest()[:16]
