"""How a centre notices at night that warnd itself is in trouble: alarms when nothing leaves, and signs of life that stop with it."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.receiver import Receiver, receiver
from tests.fakes.texting_centre import PEOPLE, texting_centre
from tests.ports import free_port
from tests.waiting import until
from warnd.clock import SystemClock


@dataclass
class Gateway:
    """A text gateway that can be unplugged and plugged in again at the same address."""

    port: int
    texts: list[str] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def plug_in(self) -> None:
        """Listen and take every text."""
        app = web.Application()
        app.router.add_post("/send", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def unplug(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        self.texts.append((await request.json())["to"])
        return web.Response(text="ok")


def _settings(gateway: Gateway, watcher: Receiver) -> str:
    return f"""
[sms]
provider = "http"
[sms.http]
url = "http://127.0.0.1:{gateway.port}/send"
body = "json"
fields = {{ to = "{{number}}", text = "{{text}}" }}
watch_s = 1
[sms.http.answer]
format = "text"
[alarms]
heartbeat_url = "{watcher.url}/ping/7c9e"
heartbeat_every_s = 1
stalled_after_s = 2
url = "{watcher.url}/alarms"
"""


@asynccontextmanager
async def _unplugged() -> AsyncIterator[Gateway]:
    gateway = Gateway(free_port())
    try:
        yield gateway
    finally:
        await gateway.unplug()


def _alarms(watcher: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in watcher.taken if one.path == "/alarms"]


def _stalled(watcher: Receiver) -> list[dict[str, Any]]:
    return [one for alarm in _alarms(watcher) for one in alarm["alarms"] if one["kind"] == "stalled"]


def _pings(watcher: Receiver) -> int:
    return sum(one.path == "/ping/7c9e" for one in watcher.taken)


class _DeadManSwitch:
    """What a service that waits for pings does: it calls somebody when none came for a while."""

    def __init__(self, watcher: Receiver, *, grace_s: float) -> None:
        self._watcher = watcher
        self._grace_s = grace_s
        self._clock = SystemClock()
        self._seen = (_pings(watcher), self._clock.monotonic())

    def calls(self) -> bool:
        """Say whether it would call somebody now."""
        pings, since = self._seen
        if _pings(self._watcher) != pings:
            self._seen = (_pings(self._watcher), self._clock.monotonic())
            return False
        return self._clock.monotonic() - since > self._grace_s


async def test_who_watches_from_outside_hears_that_nothing_leaves_that_it_is_over_and_that_warnd_stands_still(
    tmp_path: Path,
) -> None:
    async with (
        receiver() as watcher,
        _unplugged() as gateway,
        texting_centre(tmp_path, _settings(gateway, watcher)) as centre,
    ):
        await until(lambda: _pings(watcher) >= 1)
        warning = await centre.release()
        await until(lambda: _stalled(watcher))
        alarm = _alarms(watcher)[-1]
        assert (alarm["v"], alarm["state"], alarm["node"]) == (1, "on", "warnd")
        (told,) = _stalled(watcher)
        assert told["part"] == "sms"
        assert f"{PEOPLE} tries are due" in told["problem"]
        assert (await centre.http.get("/readyz")).status_code == 503
        outlook = (await centre.http.get(f"/api/v1/warnings/{warning}")).json()["outlook"]
        assert outlook == {"due": PEOPLE, "done_at": None, "stuck": ["sms"]}
        switch = _DeadManSwitch(watcher, grace_s=2.0)
        await until(switch.calls)

        await gateway.plug_in()
        await until(lambda: _alarms(watcher)[-1]["state"] == "over")
        assert {one["part"] for one in _alarms(watcher)[-1]["over"]} == {"sms"}
        assert len(gateway.texts) == PEOPLE
        before = _pings(watcher)
        await until(lambda: _pings(watcher) > before)

        centre.served.process.send_signal(signal.SIGSTOP)
        try:
            switch = _DeadManSwitch(watcher, grace_s=2.0)
            await until(switch.calls)
        finally:
            centre.served.process.send_signal(signal.SIGCONT)
        before = _pings(watcher)
        await until(lambda: _pings(watcher) > before)
