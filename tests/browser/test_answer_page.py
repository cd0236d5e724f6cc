"""The page behind an answer link as people meet it: on a telephone, by keyboard, without script, in their language."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser.test_public_pages import WORST_CONTRAST
from tests.fakes.asked import Asked, asked
from warnd.model.evidence import Evidence
from warnd.web import bind, serve


@dataclass
class Door:
    """An officer's page at a real address."""

    one: Asked
    url: str


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with asked(tmp_path) as one, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        started = asyncio.Event()
        serving = group.create_task(serve(one.built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        yield Door(one, f"http://127.0.0.1:{listening.getsockname()[1]}{one.path}")
        serving.cancel()


async def _opened(browser: Browser, door: Door, **options: Any) -> Page:
    page = await browser.new_page(**{"locale": "zh-CN", "viewport": {"width": 320, "height": 640}, **options})
    await page.goto(door.url)
    return page


async def test_a_telephone_without_script_confirms_with_one_press(browser: Browser, door: Door) -> None:
    page = await _opened(browser, door, java_script_enabled=False)
    button = page.get_by_role("button", name="我已收到并知晓")
    box = await button.bounding_box()
    assert box is not None
    assert box["height"] >= 24
    assert box["width"] >= 250
    assert await door.one.evidence() == Evidence.ACCEPTED
    await button.click()
    await page.get_by_role("status").filter(has_text="确认收到").wait_for()
    assert await page.get_by_role("button").count() == 0
    assert await door.one.evidence() == Evidence.ACKNOWLEDGED


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_keyboard_reaches_the_button_and_it_is_seen(browser: Browser, door: Door, scheme: Any) -> None:
    page = await _opened(browser, door, locale="en-US", color_scheme=scheme)
    assert await page.get_by_role("heading", level=1).count() == 1
    worst = await page.evaluate(WORST_CONTRAST)
    assert worst[0] >= 4.5, worst
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    button = page.get_by_role("button", name="I have read this warning")
    assert await button.get_attribute("aria-describedby") == "asked"
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await button.evaluate("each => each === document.activeElement"):
            break
    outline = await button.evaluate("each => getComputedStyle(each).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2
    await page.keyboard.press("Enter")
    await page.get_by_role("status").filter(has_text="Confirmed at").wait_for()
    assert await door.one.evidence() == Evidence.ACKNOWLEDGED
    await page.reload()
    assert await page.get_by_role("button").count() == 0


async def test_after_a_cancel_the_page_says_so_first(browser: Browser, door: Door) -> None:
    await door.one.cancel()
    page = await _opened(browser, door)
    assert "取消" in await page.locator(".banner").filter(has_text="本预警").inner_text()
    assert await page.get_by_role("button").count() == 0
