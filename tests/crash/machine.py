"""A daemon whose machine fails in the middle of a dispatch: its disk is full, read-only or slow, its store is locked, its clock is set."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import text

from tests.crash.centre import Centre, centre, judge
from tests.crash.judge import Tally
from tests.crash.serve import CLOCK, READ_ONLY, SLOW, TROUBLE
from tests.crash.story import PLANS
from tests.fleet.centre import until_seldom
from tests.waiting import until
from warnd.ledger.store import open_engine

_DISK_MB: Final = 24
_BLOCK: Final = 4096
_STORE: Final = "store"
_SETTLED_WITHIN_S: Final = 180.0
_TOLD_WITHIN_S: Final = 30.0
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault showed; `told` is what /readyz said while it lasted."""

    fault: str
    told: str
    tally: Tally


def _put(path: Path, words: str) -> None:
    """Change a file whole: the daemon looks at it all the time."""
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.write_text(words, "utf-8")
    fresh.rename(path)


async def _full(here: Centre) -> str:
    """Fill the disk, and free it once operators have been told."""
    filling = here.folder / _STORE / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):  # The last bytes do not fit.
        while file.write(bytes(_BLOCK)):
            pass
    told = await _told(here)
    filling.unlink()
    return told


async def _read_only(here: Centre) -> str:
    _put(here.folder / TROUBLE, READ_ONLY)
    told = await _told(here)
    _put(here.folder / TROUBLE, "")
    return told


async def _slow(here: Centre) -> str:
    _put(here.folder / TROUBLE, SLOW)
    await _for(6.0)
    _put(here.folder / TROUBLE, "")
    return ""


async def _locked(here: Centre, for_s: float) -> str:
    """Hold the store's write lock as another process would; told or not, it is let go of after so long."""
    engine = open_engine(here.url)
    with engine.begin() as conn:
        conn.execute(text("UPDATE meta SET key = key"))
        await _for(for_s)
        told = await _problems(here)
    engine.dispose()
    return told


async def _busy(here: Centre) -> str:
    return await _locked(here, 5.0)


async def _busy_for_long(here: Centre) -> str:
    return await _locked(here, 20.0)


async def _set(here: Centre, by_s: float) -> str:
    """Set the clock wrong and, a little later, right again."""
    for off in (by_s, 0.0):
        await _for(1.5)
        _put(here.folder / CLOCK, str(off))
    return ""


async def _forward(here: Centre) -> str:
    return await _set(here, _HOUR_S)


async def _back(here: Centre) -> str:
    return await _set(here, -_HOUR_S)


DISK_FULL: Final = "disk full"
FAULTS: Final[Mapping[str, Callable[[Centre], Awaitable[str]]]] = {
    DISK_FULL: _full,
    "store read-only": _read_only,
    "disk slow, 2 s a commit": _slow,
    "SQLite busy for 5 s": _busy,
    "SQLite busy for 20 s": _busy_for_long,
    "clock 1 h forward and back": _forward,
    "clock 1 h back and forward": _back,
}
MUST_BE_TOLD: Final = frozenset({DISK_FULL, "store read-only", "SQLite busy for 20 s"})


async def suffered(folder: Path, fault: str) -> Outcome:
    """Let a centre suffer a fault of its machine in the middle of a round; return what it showed when all is over."""
    (folder / TROUBLE).write_text("", "utf-8")
    (folder / CLOCK).write_text("0", "utf-8")
    with _disk(folder / _STORE, small=fault == DISK_FULL) as store:
        async with centre(folder, plans=PLANS, store=store) as here:
            return await _through(here, fault)


async def _through(here: Centre, fault: str) -> Outcome:
    here.heard_within_s = 5.0
    served = await here.start()
    async with asyncio.TaskGroup() as people:
        acting = people.create_task(here.one_round(1))
        await until_seldom(lambda: _under_way(here), timeout_s=60)
        told = await FAULTS[fault](here)
        await until(acting.done, timeout_s=_SETTLED_WITHIN_S)
    await until_seldom(here.quiet, timeout_s=_SETTLED_WITHIN_S)
    assert served.alive(), "it ended; see serve.log"
    await served.stop()
    return Outcome(fault, told, judge(here))


def _under_way(here: Centre) -> bool:
    with here.store() as conn:
        return conn.execute(text("SELECT 1 FROM attempt LIMIT 1")).one_or_none() is not None


async def _told(here: Centre) -> str:
    """Return what operators are told, once they are."""
    told = ""

    async def asking() -> None:
        nonlocal told
        while not told:
            told = await _problems(here)
            await _for(0.2)

    async with asyncio.timeout(_TOLD_WITHIN_S):
        await asking()
    return told


async def _problems(here: Centre) -> str:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{here.port}", timeout=30.0) as client:
        ready = (await client.get("/readyz")).json()
    return next(iter(ready["problems"]), "")


async def _for(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    enough = loop.time() + seconds
    await until(lambda: loop.time() >= enough, timeout_s=seconds + 15)


@contextmanager
def _disk(folder: Path, *, small: bool) -> Iterator[Path]:
    """Give a folder on a small disk of its own, or just a folder."""
    folder.mkdir()
    if not small:
        yield folder
        return
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    subprocess.run(mounted, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def may_mount() -> bool:
    """Say whether this machine lets us have a small disk."""
    if os.geteuid() != 0:
        return False
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True)
    return probe.returncode == 0
