"""A centre behind a real port, and clients that read its live streams event by event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.fakes.web_centre import Centre, centre
from warnd.web import bind, serve
from warnd.web.doors import Doors

WITHIN_S = 1.0  # DESIGN's promise for the public page, and more than any stream needs on loopback.


@dataclass
class Served:
    """A centre behind a real port."""

    built: Centre
    url: str

    @property
    def doors(self) -> Doors:
        found: Doors = self.built.daemon.app.state.doors
        return found

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator["Events"]:
        client = httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False)
        async with client, client.stream("GET", path, headers=headers) as answered:
            yield Events(answered)


class Events:
    """What a stream has told, one event after the other."""

    def __init__(self, answered: httpx.Response) -> None:
        self.answered = answered
        self._lines = answered.aiter_lines()

    async def next(self) -> dict[str, str]:
        """Return the fields of the next event."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(WITHIN_S):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in {"id", "event", "data"}:
                    fields[name] = value
                elif not line and "data" in fields:
                    return fields
        raise AssertionError("the stream has ended")

    async def named(self, name: str) -> dict[str, str]:
        """Return the next event of this name."""
        while (found := await self.next())["event"] != name:
            pass
        return found


@asynccontextmanager
async def at_port(folder: Path) -> AsyncIterator[Served]:
    """Serve one."""
    async with centre(folder) as built, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        yield Served(built, url)
        serving.cancel()
