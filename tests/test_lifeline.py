"""Signs of life need a store that can be written; calls outward are bounded, never redirected, and keep secrets out of the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from tests.fakes.receiver import Receiver, receiver
from tests.ports import free_port
from tests.stores import store_url
from tests.waiting import until
from warnd.clock import SystemClock
from warnd.daemon.lifeline import Lifeline, Own
from warnd.daemon.outward import Outward
from warnd.dispatch.metrics import Metrics
from warnd.dispatch.watchdog import Watchdog
from warnd.ledger.door import Ledger, Operation, P, T
from warnd.ledger.store import open_inline, upgrade
from warnd.settings.sections.alarms import Alarms

OWN = Own(node="county", worker="north", version="1", writer="w")


@dataclass
class Store:
    """A ledger on a disk that fills up and is freed again."""

    real: Ledger
    full: bool = False

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read, which a full disk allows."""
        return await self.real.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write, if there is room."""
        if self.full:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        return await self.real.write(op, *args, **kwargs)

    async def close(self) -> None:
        """Close it."""
        await self.real.close()


@asynccontextmanager
async def _alive(folder: Path, watcher: Receiver, beats: list[dict[str, Any]]) -> AsyncIterator[Store]:
    url = store_url(folder)
    upgrade(url)
    store, clock = Store(open_inline(url)), SystemClock()
    settings = Alarms(
        heartbeat_url=f"{watcher.url}/ping",
        heartbeat_topic="warnd/v1/centre/county/alive",
        heartbeat_every_s=1,
        stalled_after_s=1,
        url=f"{watcher.url}/alarms",
        repeat_every_s=1,
    )

    async def publish(topic: str, payload: bytes) -> str | None:
        beats.append(json.loads(payload) | {"topic": topic})
        return None

    lifeline = Lifeline(
        OWN,
        settings,
        ledger=store,
        clock=clock,
        watchdog=Watchdog(store, clock, lanes={}, after_s=1, shared=False, metrics=Metrics(CollectorRegistry())),
        problems=list,
        publish=publish,
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(lifeline.run())
        yield store
        running.cancel()
    await store.close()


def _pings(watcher: Receiver) -> int:
    return sum(one.path == "/ping" for one in watcher.taken)


def _alarms(watcher: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in watcher.taken if one.path == "/alarms"]


async def test_a_store_that_cannot_be_written_ends_the_pings_is_an_alarm_again_and_again_and_is_over_when_it_can(
    tmp_path: Path,
) -> None:
    beats: list[dict[str, Any]] = []
    async with receiver() as watcher, _alive(tmp_path, watcher, beats) as store:
        await until(lambda: _pings(watcher) >= 1)
        assert beats[0]["ok"]
        store.full = True
        await until(lambda: beats[-1]["ok"] is False)
        silent_since = _pings(watcher)
        await until(lambda: len(_alarms(watcher)) >= 2)
        first, second = _alarms(watcher)[:2]
        assert [one["part"] for one in first["alarms"]] == ["store"] == [one["part"] for one in second["alarms"]]
        assert first["alarms"][0]["since"] == second["alarms"][0]["since"]
        assert _pings(watcher) == silent_since
        store.full = False
        await until(lambda: _alarms(watcher)[-1]["state"] == "over")
        await until(lambda: _pings(watcher) > silent_since)
        assert beats[0]["topic"] == "warnd/v1/centre/county/alive"


async def test_what_could_not_be_posted_is_posted_as_soon_as_it_can(tmp_path: Path) -> None:
    async with receiver() as watcher, _alive(tmp_path, watcher, []) as store:
        watcher.answer(503)
        store.full = True
        await until(lambda: sum(one.path == "/alarms" for one in watcher.asked) >= 2)
        assert not _alarms(watcher)
        watcher.answer(204)
        await until(lambda: _alarms(watcher))
        assert _alarms(watcher)[0]["state"] == "on"


async def test_a_redirect_is_not_followed_and_no_failure_names_the_address() -> None:
    outward = Outward(timeout_s=1, agent="warnd/1")
    async with receiver() as elsewhere, receiver() as watcher:
        watcher.answer(302, Location=f"{elsewhere.url}/stolen")
        told = await outward.get(f"{watcher.url}/secret-ping")
        assert told == "127.0.0.1 answers 302"
        assert not elsewhere.asked
        watcher.hang()
        told = await outward.post(f"{watcher.url}/secret-ping", {})
        assert told == "127.0.0.1 does not answer in time"
    told = await outward.get(f"http://127.0.0.1:{free_port()}/secret-ping")
    assert told is not None
    assert "secret" not in told
