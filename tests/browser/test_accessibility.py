"""WCAG 2.2 AA: axe-core over every public page, and by hand what it cannot see: keyboard, targets, zoom, colours that are forced."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.conftest import Site
from tests.fakes.web_centre import EN, ZH, after, flood

pytestmark = pytest.mark.asyncio(loop_scope="module")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
UG = replace(ZH, language="ug", event="كەلكۈن", headline="كەلكۈن", instruction="دەرھال ئېگىز يەرگە چىقىڭ.")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor")
VILLAGE, TOWNSHIP = "990101001002", "990101001000"
SMALLEST_TARGET = 24  # CSS pixels, WCAG 2.2 §2.5.8; links within a sentence are free.

FIND = """async () => {
  const found = await axe.run(document, { runOnly: RULES, resultTypes: ['violations'] });
  return found.violations.map(each => each.id + ': ' + each.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | '));
}""".replace("RULES", json.dumps(RULES))

SMALL_TARGETS = """(least) => [...document.querySelectorAll('a, button, input:not([type=hidden])')].filter(each => {
  const box = each.getBoundingClientRect();
  const seen = box.width > 1 && box.height > 1 && box.right > 0;
  return seen && (box.width < least || box.height < least);
}).map(each => each.outerHTML)"""

OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def filled(site: Site) -> list[str]:
    """Fill a site with every kind of warning; return the paths of every kind of page."""
    built = site.built
    for number, severity in enumerate(SEVERITIES):
        infos = tuple(
            replace(info, severity=severity, web="https://qinghe.example/" + "long" * 20) for info in (ZH, EN, UG)
        )
        last = await built.release(flood(f"level-{number}", infos=infos))
    cancelled = await built.release(flood("over"))
    cancel = await built.release(after("over-2", "Cancel", "over", infos=()))
    return [
        "/",
        f"/w/{last}",
        f"/w/{cancelled}",
        f"/w/{cancel}",
        "/p",
        "/p?q=1-",
        f"/p/{TOWNSHIP}",
        "/p/nowhere",
        "/nothing",
        f"/display/{VILLAGE}",
        "/display/990101002001",
        "/api/docs",
    ]


@asynccontextmanager
async def reader(
    browser: Browser, *, width: int = 1280, lang: str = "zh-CN", **more: object
) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": width, "height": 800}, locale=lang, **more)  # type: ignore[arg-type] # as given
    await context.add_init_script(AXE)
    yield context
    await context.close()


async def faults(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(FIND)
    return found


@pytest.mark.parametrize(
    ("width", "scheme", "lang"),
    [(320, "light", "zh-CN"), (320, "dark", "en-GB"), (1280, "light", "en-GB"), (1280, "dark", "zh-CN")],
)
async def test_axe_finds_nothing_on_any_page(
    own_site: Site, shared_browser: Browser, width: int, scheme: str, lang: str
) -> None:
    paths = await filled(own_site)
    async with reader(shared_browser, width=width, lang=lang, color_scheme=scheme) as context:
        page = await context.new_page()
        for path in paths:
            await page.goto(own_site.url + path)
            assert await faults(page) == [], path
            if not path.startswith("/display/"):
                assert await page.evaluate(OVERHANG) <= 0, path
                assert await page.evaluate(SMALL_TARGETS, SMALLEST_TARGET) == [], path


async def test_axe_finds_a_fault_where_there_is_one(own_site: Site, shared_browser: Browser) -> None:
    """So that the test above cannot pass because axe looked at nothing."""
    async with reader(shared_browser) as context:
        page = await context.new_page()
        await page.goto(own_site.url)
        await page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=\"/static/icon.svg\"><a href=\"#\"></a>')"
        )
        assert {each.partition(":")[0] for each in await faults(page)} >= {"image-alt", "link-name"}


async def test_all_that_can_be_done_can_be_done_by_keyboard_in_reading_order_and_seen(
    own_site: Site, shared_browser: Browser
) -> None:
    await filled(own_site)
    async with reader(shared_browser, width=320) as context:
        page = await context.new_page()
        for path in ("/", f"/p/{TOWNSHIP}"):
            await page.goto(own_site.url + path)
            expected = await page.evaluate(
                "[...document.querySelectorAll('a[href], input:not([type=hidden]), button')].map(each => each.outerHTML)"
            )
            reached = []
            for _ in expected:
                await page.keyboard.press("Tab")
                reached.append(await page.evaluate("document.activeElement.outerHTML"))
                shown = await page.evaluate(
                    """() => { const style = getComputedStyle(document.activeElement), box = document.activeElement.getBoundingClientRect();
                    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.left >= 0 && box.top >= 0; }"""
                )
                assert shown, reached[-1]
            assert reached == expected
        await page.goto(own_site.url)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"  # What comes before it is skipped.


async def test_a_page_at_twice_the_size_loses_nothing_sideways(own_site: Site, shared_browser: Browser) -> None:
    """200 % on a screen of 640 is 320 CSS pixels; text alone enlarged is the other way in which people do it (§1.4.4)."""
    paths = await filled(own_site)
    async with reader(shared_browser, width=640) as context:
        page = await context.new_page()
        for path in paths:
            if path.startswith("/display/"):
                continue
            await page.goto(own_site.url + path)
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert await page.evaluate(OVERHANG) <= 0, path


async def test_levels_differ_without_their_colours(own_site: Site, shared_browser: Browser) -> None:
    await filled(own_site)
    async with reader(shared_browser, forced_colors="active", reduced_motion="reduce") as context:
        page = await context.new_page()
        await page.goto(f"{own_site.url}/?lang=en")
        words = await page.locator("article .badge span").all_text_contents()
        shapes = await page.eval_on_selector_all(
            "article .badge svg", "all => all.map(each => each.firstElementChild.outerHTML)"
        )
        assert len(set(words)) == len(set(shapes)) == 4
        assert await page.eval_on_selector_all(
            ".badge", "all => all.every(each => parseFloat(getComputedStyle(each).borderTopWidth) >= 1)"
        )
        moving = await page.evaluate("document.getAnimations().length")
        assert moving == 0


async def test_parts_in_another_language_are_marked_for_those_who_listen(
    own_site: Site, shared_browser: Browser
) -> None:
    await filled(own_site)
    async with reader(shared_browser) as context:
        page = await context.new_page()
        await page.goto(f"{own_site.url}/?lang=ug")
        assert await page.locator("html").get_attribute("lang") == "zh-CN"
        act = page.locator("article .act").first
        assert (await act.get_attribute("lang"), await act.get_attribute("dir")) == ("ug", "rtl")
        assert await act.evaluate("each => getComputedStyle(each).direction") == "rtl"
        badge = page.locator("article .badge").first
        assert await badge.evaluate("each => each.closest('[lang]').lang") == "zh-CN"
