"""What is in force at one place, out of the picture that all visitors share.

Which warnings touch a place never changes once they are released, so it is asked of the ledger once for each, however many look.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from warnd.clock import Clock
from warnd.ledger import views
from warnd.ledger.directory import RegionRow
from warnd.ledger.store import Ledger
from warnd.ledger.views import Found, Place
from warnd.web.site import Picture, Shown, version_of

BELOW_MOST = 60  # Regions below a place on one page, which must stay under 20 KB.
FOUND_MOST = 20
_PLACES_KEPT = 2_000
_KNOWN_MOST = 2_000  # Warnings remembered for one place; past ones are forgotten then.
_FRESH_S = 30.0  # A directory changes by imports, a few times a year.
_ASKS_AT_ONCE = 2  # Of the ledger's readers, so that those who work with warnings keep theirs.
_SEARCHES_AT_ONCE = 1  # A wicked query takes a third of a second: who searches must not keep others from their places.


@dataclass(slots=True)
class _Memory:
    """What is known about one place.

    Attributes:
        asked: Ids of the warnings of which it is known whether they touch it.
        touching: Those that do.
        local: The last picture made for it, with the number of the whole picture it was cut from.
    """

    place: Place
    read_at: float
    asked: set[str] = field(default_factory=set)
    touching: set[str] = field(default_factory=set)
    local: tuple[int, Picture] | None = None


class Places:
    """Finds places and cuts pictures to them."""

    def __init__(self, *, ledger: Ledger, clock: Clock, jurisdiction: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._jurisdiction = jurisdiction
        self._turns = asyncio.Semaphore(_ASKS_AT_ONCE)
        self._searches = asyncio.Semaphore(_SEARCHES_AT_ONCE)
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    async def find(self, code: str) -> Place | None:
        """Return the place with this code, with the first of what lies below it; None if there is none."""
        memory = await self._memory(code)
        return None if memory is None else memory.place

    async def page(self, code: str, *, after: str) -> Place | None:
        """Return the same place with what lies below it behind a code."""
        found: Place | None = await self._ask(views.public_place, code=code, limit=BELOW_MOST, after=after)
        return found

    async def outermost(self, *, after: str = "") -> Place:
        """Return the places with which a visitor begins."""
        found: Place = await self._ask(views.public_places, limit=BELOW_MOST, after=after)
        return found

    async def named(self, query: str) -> list[Found]:
        """Return the places that a query may mean; at most `FOUND_MOST`, and one more if there are more."""
        async with self._searches:
            found: list[Found] = await self._ask(views.find_places, query=query, limit=FOUND_MOST + 1)
        return found

    async def touching(self, place: Place, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the warnings whose area touches the place; all of them for the whole of what this node serves."""
        if place.region is None:
            return frozenset(ids)
        memory = await self._memory(place.region.code)
        return frozenset() if memory is None else await self._touching(memory, place.region, frozenset(ids))

    async def local(self, picture: Picture, place: Place) -> Picture:
        """Return the part of a picture that touches the place, with a version of its own."""
        if place.region is None:
            return picture
        memory = await self._memory(place.region.code)
        if memory is None:
            return _cut(picture, frozenset(), before=None)
        if memory.local is None or memory.local[0] != picture.number:
            ids = frozenset(each.warning.id for each in picture.all)
            here = await self._touching(memory, place.region, ids)
            memory.local = picture.number, _cut(picture, here, before=memory.local[1] if memory.local else None)
        return memory.local[1]

    async def _memory(self, code: str) -> _Memory | None:
        memory = self._memories.get(code)
        now = self._clock.monotonic()
        if memory is None or now - memory.read_at > _FRESH_S:
            place = await self._ask(views.public_place, code=code, limit=BELOW_MOST)
            if place is None or place.region is None:
                self._memories.pop(code, None)
                return None
            moved = memory is None or memory.place.region is None or memory.place.region.path != place.region.path
            memory = _Memory(place, now) if memory is None or moved else replace(memory, place=place, read_at=now)
            self._memories[code] = memory
        self._memories.move_to_end(code)
        while len(self._memories) > _PLACES_KEPT:
            self._memories.popitem(last=False)
        return memory

    async def _touching(self, memory: _Memory, region: RegionRow, ids: Collection[str]) -> frozenset[str]:
        new = frozenset(ids) - memory.asked
        if new:
            async with self._turns:
                found = await self._ledger.read(views.reaching, place=region, served=memory.place.served, ids=new)
            if len(memory.asked) > _KNOWN_MOST:
                memory.asked.intersection_update(ids)
                memory.touching.intersection_update(ids)
            memory.asked |= new
            memory.touching |= found
        return frozenset(memory.touching.intersection(ids))

    async def _ask(self, op: Any, **values: Any) -> Any:
        async with self._turns:
            return await self._ledger.read(op, jurisdiction=self._jurisdiction, **values)


def _cut(picture: Picture, here: Collection[str], *, before: Picture | None) -> Picture:
    """Return the part of a picture with these ids; what had the same version before keeps its time."""

    def mine(all_: Iterable[Shown]) -> tuple[Shown, ...]:
        return tuple(each for each in all_ if each.warning.id in here)

    local = replace(picture, warnings=mine(picture.warnings), cancels=mine(picture.cancels))
    version = version_of(each.warning for each in local.all)
    same = before is not None and before.version == version
    return replace(local, version=version, changed_at=before.changed_at if same and before else picture.changed_at)
