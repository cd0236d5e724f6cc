"""The public site behind a real port, and a real browser in front of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.fakes.web_centre import Centre, centre
from warnd.web import bind, serve

_CHROMIUM = shutil.which("chromium")


@dataclass
class Site:
    """A centre and its address."""

    built: Centre
    url: str


@asynccontextmanager
async def _site(folder: Path) -> AsyncIterator[Site]:
    async with centre(folder) as built, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        yield Site(built, f"http://127.0.0.1:{listening.getsockname()[1]}")
        serving.cancel()


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with _site(tmp_path) as made:
        yield made


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with _browser() as opened:
        yield opened


# For modules of many short tests, which share one browser and therefore one loop: starting a browser takes longer than most of them.


@pytest_asyncio.fixture(loop_scope="module")
async def own_site(tmp_path: Path) -> AsyncIterator[Site]:
    async with _site(tmp_path) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_browser() -> AsyncIterator[Browser]:
    async with _browser() as opened:
        yield opened
