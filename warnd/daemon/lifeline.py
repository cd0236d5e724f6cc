"""Proves outward that warnd lives and works, and says there when it does not (DESIGN §7, watchdog).

A call that goes out whatever happens proves nothing. This one needs the event loop, the store's write lock and a watchdog that finds
nothing wrong; and whoever waits for it notices a dead process, machine or network, too.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.clock import Clock
from warnd.daemon.systemd import notify
from warnd.dispatch.watchdog import Trouble, Watchdog
from warnd.ledger import progress
from warnd.ledger.events import Stamp
from warnd.ledger.store import Ledger
from warnd.ledger.values import to_ms
from warnd.settings.sections.alarms import Alarms

_WRITE_WITHIN_S = 20.0
_TICK_S = 5.0
_MATE = "worker "  # What the watchdog calls the silence of another worker, which is no fault of this one.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Own:
    """Who gives the signs: the node's name, the worker's, the version, and the mark of this process start."""

    node: str
    worker: str
    version: str
    writer: str


class Lifeline:
    """Signs of life at a steady pace, and alarms when something begins, goes on, or is over."""

    def __init__(
        self,
        own: Own,
        settings: Alarms,
        *,
        ledger: Ledger,
        clock: Clock,
        watchdog: Watchdog,
        problems: Callable[[], Sequence[str]],
        publish: Callable[[str, bytes], Awaitable[str | None]] | None,
    ) -> None:
        """Take what it speaks of, and through what.

        Args:
            own: Who gives the signs.
            settings: Where they go.
            ledger: Must be writable.
            clock: For the pace.
            watchdog: Says what does not move.
            problems: What is broken now, each as "part: what is wrong and what to do".
            publish: Publishes to an MQTT topic; returns why not, or None.
        """
        self._own = own
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._watchdog = watchdog
        self._problems = problems
        self._publish = publish
        from warnd.daemon.outward import Outward  # noqa: PLC0415 - its library takes a tenth of a start, and most speak to nobody

        self._outward = Outward(timeout_s=settings.timeout_s, agent=f"warnd/{own.version}")
        self._unwritable: Trouble | None = None
        self._broken: dict[str, Trouble] = {}
        self._told: dict[tuple[str, str], Trouble] = {}
        self._told_at = float("-inf")

    async def run(self) -> None:
        """Give signs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beats(), name="heartbeats")
            group.create_task(self._alarms(), name="alarms")

    # ---- signs of life

    async def _beats(self) -> None:
        while True:
            await self._prove()
            await self._beat()
            await self._clock.sleep(self._settings.heartbeat_every_s)

    async def _prove(self) -> None:
        """Write to the store; one that can only be read loses every proof."""
        now = self._clock.now()
        stamp = Stamp(to_ms(now), self._own.writer)
        try:
            async with asyncio.timeout(_WRITE_WITHIN_S):
                await self._ledger.write(progress.prove, worker=self._own.worker, stamp=stamp)
        except (TimeoutError, SQLAlchemyError) as error:
            says = f"it cannot be written ({type(error).__name__}). Free disk space, or see to its disk or server."
            self._unwritable = self._unwritable or Trouble("store", says, now)
        else:
            self._unwritable = None

    async def _beat(self) -> None:
        stands = [one for one in self._stands() if not one.part.startswith(_MATE)]
        due = sum(self._watchdog.queued.values())
        notify(
            f"STATUS={self._watchdog.open} warnings open, {due} tries due"
            + "".join(f"; {one.part} stands" for one in stands)
        )
        url, topic = self._settings.heartbeat_url, self._settings.heartbeat_topic
        if url is not None and not stands:
            self._tell_failure(url=True, why=await self._outward.get(url))
        if topic is not None and self._publish is not None:
            self._tell_failure(url=False, why=await self._publish(topic, self._sign(stands, due=due)))

    def _tell_failure(self, *, url: bool, why: str | None) -> None:
        if why is not None:
            log.warning("heartbeat_failed", by="url" if url else "topic", why=why)

    def _sign(self, stands: Sequence[Trouble], *, due: int) -> bytes:
        told = self._head() | {
            "ok": not stands,
            "open": self._watchdog.open,
            "due": due,
            "stalled": [_shown(one) for one in stands],
        }
        return json.dumps(told, ensure_ascii=False).encode()

    def _head(self) -> dict[str, Any]:
        own = self._own
        at = self._clock.now().isoformat()
        return {"v": 1, "node": own.node, "worker": own.worker, "version": own.version, "at": at}

    # ---- alarms

    async def _alarms(self) -> None:
        while True:
            await self._alarm()
            await self._clock.sleep(min(_TICK_S, self._settings.stalled_after_s / 4))

    async def _alarm(self) -> None:
        """Post when what is wrong has changed, or goes on for long; what could not be posted is posted at the next look."""
        wrong = {("stalled", one.part): one for one in self._stands()}
        wrong |= {("broken", one.part): one for one in self._lasting()}
        again = bool(wrong) and self._clock.monotonic() - self._told_at >= self._settings.repeat_every_s
        if self._settings.url is None or (wrong.keys() == self._told.keys() and not again):
            return
        over = {key: one for key, one in self._told.items() if key not in wrong}
        document = self._head() | {"state": "on" if wrong else "over", "alarms": _listed(wrong), "over": _listed(over)}
        why = await self._outward.post(self._settings.url, document)
        if why is not None:
            log.error("alarm_not_posted", why=why, parts=sorted(part for _, part in wrong))
            return
        self._told, self._told_at = wrong, self._clock.monotonic()

    def _stands(self) -> list[Trouble]:
        return [*([self._unwritable] if self._unwritable else []), *self._watchdog.stalled()]

    def _lasting(self) -> list[Trouble]:
        """Return what has been broken for as long as nothing may stand still, though nothing waits for it now."""
        now = self._clock.now()
        broken: dict[str, Trouble] = {}
        for told in self._problems():
            part, _, says = told.partition(": ")
            since = self._broken[part].since if part in self._broken else now
            broken[part] = Trouble(part, says, since)
        self._broken = broken
        known = {one.part for one in self._stands()}
        after_s = self._settings.stalled_after_s
        return [
            one for one in broken.values() if one.part not in known and (now - one.since).total_seconds() >= after_s
        ]


def _shown(one: Trouble) -> dict[str, str]:
    return {"part": one.part, "problem": one.says, "since": one.since.isoformat()}


def _listed(found: Mapping[tuple[str, str], Trouble]) -> list[dict[str, str]]:
    """Return alarms as documents: "stalled" = work is due and does not move; "broken" = a part does not work, whatever waits for it."""
    return [{"kind": kind, **_shown(one)} for (kind, _), one in found.items()]
