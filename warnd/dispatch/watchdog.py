"""Notices that warnings do not move though they should: open and due, and nothing progresses, lane by lane; and says when it will be done.

It judges by the ledger, so that it sees what all workers did together. It never repairs anything; it tells.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.clock import Clock
from warnd.dispatch.metrics import Metrics
from warnd.ledger import progress, workers
from warnd.ledger.progress import LaneWork, Look
from warnd.ledger.store import Ledger
from warnd.ledger.values import from_ms, to_ms
from warnd.model.documents import Outlook

_LOOK_S = 5.0
_LOOK_WITHIN_S = 20.0
_RATE_OVER_S = 60.0  # What went out in this time says how fast the rest will.
_RATE_LEAST_S = 4.0
_FAILING_MANY = 3  # Fewer addresses that fail and fail may be at fault by themselves.
_SUSPECT_S = 10.0  # Without a sign of life from a worker, which gives one every few seconds.
_MISSED_FOR_S = 24 * 3600.0

_IDLE = LaneWork(queued={}, since=None, taken_at=None, taken=0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that does not move.

    Attributes:
        part: A lane ("sms"), "planner", "store", "worker".
        says: What is wrong and what to do, in one line.
    """

    part: str
    says: str
    since: datetime


@dataclass(frozen=True, slots=True)
class LaneSigns:
    """What is known of a lane beside the ledger.

    Attributes:
        rate_per_s: As the settings have it.
        problem: Why nothing can leave by its channel now, or None.
    """

    rate_per_s: float
    problem: Callable[[], str | None]


class Watchdog:
    """Looks every few seconds."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        lanes: Mapping[str, LaneSigns],
        after_s: float,
        shared: bool,
        metrics: Metrics,
        own_name: str = "",
    ) -> None:
        """Take what it watches; `after_s` is how long nothing may move, `shared` says that other workers serve this store."""
        self._ledger = ledger
        self._clock = clock
        self._signs = lanes
        self._after = timedelta(seconds=after_s)
        self._shared = shared
        self._metrics = metrics
        self._own_name = own_name
        self._began = clock.now()
        self._troubles: dict[str, Trouble] = {}
        self._failing_since: dict[str, datetime] = {}
        self._planning: dict[str, tuple[str, datetime]] = {}
        self._speeds: dict[str, deque[tuple[float, int]]] = {}
        self._mates: dict[str, datetime] = {}
        self._outlooks: dict[str, Outlook] = {}
        self.queued: dict[str, int] = {}
        self.open = 0

    def stalled(self) -> list[Trouble]:
        """Return what does not move, the longest first."""
        return sorted(self._troubles.values(), key=lambda one: (one.since, one.part))

    def outlook(self, message_id: str) -> Outlook | None:
        """Return when what is due of a message will have gone out, as of the last look; None = nothing of it waits."""
        return self._outlooks.get(message_id)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(min(_LOOK_S, self._after.total_seconds() / 4))

    async def look(self) -> None:
        """Look once."""
        now = self._clock.now()
        found: list[Trouble] = []
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S):
                seen = await self._ledger.read(progress.look, now_ms=to_ms(now))
                found += await self._lanes(seen, now=now)
                found += await self._silent_mates(now) if self._shared else []
        except TimeoutError:
            found = [
                self._store(f"it does not answer within {_LOOK_WITHIN_S:g} s; look at its disk or server", now=now)
            ]
        except SQLAlchemyError as error:
            found = [
                self._store(
                    f"it cannot be read ({type(error).__name__}); look at its disk or server, and the log", now=now
                )
            ]
        else:
            found += self._planner(seen, now=now)
            self._foresee(seen, {one.part for one in found}, now=now)
        self._keep(found)
        self._metrics.standing(due=self.queued, stalled=list(self._troubles))

    # ---- lanes

    async def _lanes(self, seen: Look, *, now: datetime) -> list[Trouble]:
        """Return the lanes that got nothing taken for a while although something is due, or although they try and try."""
        quiet = {name: at for name in self._signs if (at := self._taken_at(name, seen)) <= now - self._after}
        failing = {}
        if quiet and seen.messages:
            failing = await self._ledger.read(
                progress.failing, lanes=list(quiet), messages=list(seen.messages), most=_FAILING_MANY
            )
        fail = [name for name, many in failing.items() if many >= _FAILING_MANY]
        self._failing_since = {name: self._failing_since.get(name, now) for name in fail}
        found = []
        for name, at in quiet.items():
            work = seen.lanes.get(name, _IDLE)
            begins = [from_ms(work.since)] if work.since is not None else []
            begins += [self._failing_since[name]] if name in fail else []
            since = max(at, min(begins)) if begins else now
            if since <= now - self._after:
                found.append(self._standing(name, sum(work.queued.values()), since=since))
        return found

    def _taken_at(self, name: str, seen: Look) -> datetime:
        """Return when something of a lane was last taken, or since when this process watches it."""
        at = seen.lanes.get(name, _IDLE).taken_at
        return self._began if at is None else max(self._began, from_ms(at))

    def _standing(self, name: str, count: int, *, since: datetime) -> Trouble:
        why = self._signs[name].problem() or "Look at its gateway and at the log; until it works, telephone."
        what = f"{count} tries are due" if count else "all that is tried fails"
        return Trouble(name, f"{what}, and nothing was taken since {since:%Y-%m-%dT%H:%M:%SZ}. {why}", since)

    # ---- the planner, the store, the other workers

    def _planner(self, seen: Look, *, now: datetime) -> list[Trouble]:
        before, self._planning = self._planning, {}
        found = []
        for message_id, place in seen.unplanned.items():
            was, since = before.get(message_id, ("", now))
            self._planning[message_id] = (place, since if was == place else now)
            since = self._planning[message_id][1]
            if now - since >= self._after:
                says = f"it has not come on with {message_id} since {since:%Y-%m-%dT%H:%M:%SZ}. Look at the log; restart warnd."
                found.append(Trouble("planner", says, since))
        return found[:1]

    def _store(self, says: str, *, now: datetime) -> Trouble:
        known = self._troubles.get("store")
        return Trouble("store", says, known.since if known else now)

    async def _silent_mates(self, now: datetime) -> list[Trouble]:
        """Return workers that went silent without signing out, until one of that name is back, at most for a day."""
        rows = await self._ledger.read(workers.present)
        alive = {row.name for row in rows if (now - from_ms(row.seen_at)).total_seconds() < _SUSPECT_S}
        for row in rows:
            if row.name not in alive and row.name != self._own_name:
                self._mates.setdefault(row.name, from_ms(row.seen_at))
        self._mates = {
            name: since
            for name, since in self._mates.items()
            if name not in alive and (now - since).total_seconds() < _MISSED_FOR_S
        }
        return [
            Trouble(
                f"worker {name}",
                f"it gives no sign of life since {since:%Y-%m-%dT%H:%M:%SZ}; the others do its work. Look at its machine.",
                since,
            )
            for name, since in self._mates.items()
        ]

    def _keep(self, found: list[Trouble]) -> None:
        """Remember what is wrong, and tell the log when something begins or ends."""
        before, self._troubles = self._troubles, {one.part: one for one in found}
        for part, one in self._troubles.items():
            if part not in before:
                log.critical("stalled", part=part, problem=one.says)
        for part, one in before.items():
            if part not in self._troubles:
                log.warning("moves_again", part=part, since=one.since.isoformat())

    # ---- when it will be done

    def _foresee(self, seen: Look, stuck: set[str], *, now: datetime) -> None:
        rates = {name: self._rate(name, work, seen) for name, work in seen.lanes.items() if name in self._signs}
        self.queued = {name: sum(seen.lanes[name].queued.values()) for name in rates}
        self.open = len(seen.messages)
        ahead = dict.fromkeys(rates, 0)
        outlooks: dict[str, Outlook] = {}
        for no, message_id in seen.messages.items():
            mine = {name: n for name in rates if (n := seen.lanes[name].queued.get(no, 0))}
            for name, n in mine.items():
                ahead[name] += n
            if mine or message_id in seen.unplanned:
                stands = sorted(name for name in mine if name in stuck or self._signs[name].problem() is not None)
                takes_s = max((ahead[name] / rates[name] for name in mine), default=0.0)
                certain = not stands and message_id not in seen.unplanned
                outlooks[message_id] = Outlook(
                    due=sum(mine.values()),
                    done_at=from_ms(to_ms(now) + int(takes_s * 1000)) if certain else None,
                    stuck=stands,
                )
        self._outlooks = outlooks

    def _rate(self, name: str, work: LaneWork, look: Look) -> float:
        """Return how many tries of a lane are taken each second: as seen lately, else as the settings allow."""
        seen = self._speeds.setdefault(name, deque())
        if not work.queued:
            seen.clear()
        now = self._clock.monotonic()
        seen.append((now, work.taken))
        while now - seen[0][0] > _RATE_OVER_S:
            seen.popleft()
        (began, before), (ended, after) = seen[0], seen[-1]
        if ended - began < _RATE_LEAST_S or after <= before:
            parts = look.parts.get(name.partition(":")[0], 1.0)
            return self._signs[name].rate_per_s / parts
        return (after - before) / (ended - began)
