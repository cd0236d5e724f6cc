"""The real `warnd serve` as a child process that a test may kill."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.waiting import until

_START_S = 30.0


@dataclass(slots=True)
class Served:
    """One running daemon."""

    process: asyncio.subprocess.Process
    url: str

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def start(config: Path, *, port: int, log: Path, tree: Path | None = None) -> Served:
    """Start the daemon on a config and return once it answers; from the `tree` of another version, if one is given.

    Raises:
        AssertionError: It ended, or does not answer; with the end of its log.
    """
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "warnd", "serve", "--config", str(config)),
            stdout=out,
            stderr=out,
            env=_environment(),
            cwd=tree,
        )
    served = Served(process, f"http://127.0.0.1:{port}")
    answered: list[int] = []
    async with httpx.AsyncClient(timeout=2.0) as client, asyncio.TaskGroup() as group:
        asking = group.create_task(_ask(client, served, answered))
        await until(lambda: answered or process.returncode is not None, timeout_s=_START_S)
        asking.cancel()
    assert answered, await asyncio.to_thread(_end_of, log)
    return served


async def _ask(client: httpx.AsyncClient, served: Served, answered: list[int]) -> None:
    while not answered:
        try:
            response = await client.get(f"{served.url}/healthz")
        except httpx.TransportError:
            await asyncio.sleep(0)
            continue
        answered.append(response.status_code)


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("WARND_")}


@asynccontextmanager
async def serving(config: Path, *, port: int, log: Path, tree: Path | None = None) -> AsyncIterator[Served]:
    """Serve for as long as the block lasts; ended by SIGTERM."""
    served = await start(config, port=port, log=log, tree=tree)
    try:
        yield served
    finally:
        if served.process.returncode is None:
            served.process.terminate()
            await served.process.wait()


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-2000:]
