"""A display board in a real browser: readable at ten metres, live, and plainly stale when the centre cannot be heard."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Site
from tests.fakes.web_centre import EN, ZH, Centre, centre, flood
from warnd.web import bind, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = "/display/990101001002"
LONG_ZH = replace(
    ZH,
    event="山洪地质灾害气象风险及中小河流洪水气象风险联合",
    instruction="请立即按照预定路线转移到高处安全地带，不要留恋财物，不要在河道、沟谷、桥下停留。" * 5,
    areas=tuple(replace(ZH.areas[0], description=f"柳河镇第{n}村民委员会") for n in range(9)),
)
LONG_EN = replace(
    EN,
    event="Flash flood and landslide risk of small rivers",
    instruction="Leave at once by the route agreed, take nothing with you, and keep away from rivers, gullies and bridges. "
    * 4,
    areas=tuple(replace(EN.areas[0], description=f"Liuhe Township Village Committee {n}") for n in range(9)),
)

# A 55-inch screen of 16:9 is 685 mm high. At 10 m letters must fill 16 minutes of arc: 10,000 mm x tan(16') = 46.5 mm (ISO 9241-303).
SCREEN_MM = 685.0
LEAST_MM = 46.5
FILLED = {"zh": 0.92, "en": 0.70}  # How much of the font size a Chinese letter and a Latin capital fill.


@asynccontextmanager
async def serving(built: Centre, port: int) -> AsyncIterator[int]:
    """Serve a centre for as long as the block lasts, and then not at all."""
    listening = bind("127.0.0.1", port)
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        yield listening.getsockname()[1]
        task.cancel()


async def opened(browser: Browser, url: str, *, width: int = 1920, height: int = 1080) -> Page:
    page = await browser.new_page(viewport={"width": width, "height": height}, locale="zh-CN")
    await page.clock.install(time="2001-01-01T00:00:00Z")  # What the screen's own clock says must not matter.
    async with page.expect_response("**/events?place=*"):
        await page.goto(url)
    return page


async def test_every_letter_that_matters_can_be_read_at_ten_metres(own_site: Site, shared_browser: Browser) -> None:
    await own_site.built.release(flood(infos=(ZH, EN)))
    await own_site.built.release(flood("long", infos=(LONG_ZH, LONG_EN)))
    page = await shared_browser.new_page(viewport={"width": 1920, "height": 1080})
    await page.goto(own_site.url + BOARD)
    count = await page.locator(".slide").count()
    assert count > 4
    for at in range(count):
        await page.goto(f"{own_site.url}{BOARD}?n={at}")
        slide = page.locator(".slide:not([hidden])")
        for part in ("h2", ".where", ".do"):
            letters = slide.locator(part).first
            size_px = await letters.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
            lang = await letters.evaluate("each => each.closest('[lang]').lang")
            assert size_px / 1080 * SCREEN_MM * FILLED[lang[:2]] >= LEAST_MM, f"slide {at}, {part}"
    await page.close()


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (1080, 1920), (1024, 768)])
async def test_nothing_of_a_slide_is_cut_off_on_any_screen(
    own_site: Site, shared_browser: Browser, width: int, height: int
) -> None:
    await own_site.built.release(flood("long", infos=(LONG_ZH, LONG_EN)))
    page = await shared_browser.new_page(viewport={"width": width, "height": height})
    await page.goto(own_site.url + BOARD)
    for at in range(await page.locator(".slide").count()):
        await page.goto(f"{own_site.url}{BOARD}?n={at}")
        await expect(page.locator("#clock")).to_have_text(re.compile(r"^\d\d:\d\d$"))  # The script has run.
        shown = page.locator(".slide:not([hidden])")
        assert await shown.evaluate(
            "each => each.scrollHeight <= each.clientHeight && each.scrollWidth <= each.clientWidth"
        )
        if height > width:
            until = shown.locator(".until")
            assert await until.evaluate("each => each.scrollWidth <= each.clientWidth"), (
                "who warns is whole, in two lines"
            )
        size = float((await shown.evaluate("each => each.style.fontSize")).removesuffix("vmin"))
        assert size == 1 if (width, height) in {(1920, 1080), (1280, 720)} else size >= 0.6
    await page.close()


async def test_a_board_follows_what_is_in_force_and_turns_its_slides(own_site: Site, shared_browser: Browser) -> None:
    page = await opened(shared_browser, own_site.url + BOARD)
    await expect(page.locator("#none")).to_be_visible()
    await expect(page.locator("#clock")).to_have_text("15:30")
    warning_id = await own_site.built.release(flood())
    shown = page.locator(".slide:not([hidden]) h2")
    await expect(shown).to_have_text(re.compile("洪水红色预警"), timeout=3_000)
    await page.clock.fast_forward(13_000)
    await expect(shown).to_have_text(re.compile("RED Flood warning"))
    await page.clock.fast_forward(13_000)
    await expect(shown).to_have_text(re.compile("洪水红色预警"))
    async with own_site.built.caller() as client:
        await client.post(f"/api/v1/warnings/{warning_id}/cancel", json={"kind": "lift", "reason": "over"})
        own_site.built.clock.advance(1)
    await expect(page.locator("#none")).to_be_visible(timeout=3_000)
    await page.close()


async def test_a_board_that_is_cut_off_says_so_large_lets_warnings_end_and_recovers(
    tmp_path: Path, shared_browser: Browser
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with centre(first) as built:
        async with serving(built, 0) as port:
            await built.release(flood())
            page = await opened(shared_browser, f"http://127.0.0.1:{port}{BOARD}")
            cut, slide = page.locator("#cut"), page.locator(".slide:not([hidden])")
            await expect(slide).to_be_visible()
            await expect(cut).to_be_hidden()
            live = await slide.evaluate("each => getComputedStyle(each).backgroundColor")
        await page.clock.fast_forward(30_000)
        await expect(cut).to_be_hidden()  # A line that stumbles is no alarm.
        await page.clock.fast_forward(30_000)
        await expect(cut).to_be_visible()
        await expect(cut).to_contain_text("与中心失去联系")
        await expect(cut).to_contain_text("CUT OFF")
        await expect(cut).to_contain_text("15:30")  # Since when, by the centre's clock.
        assert (
            await page.locator(".cut").first.evaluate(
                "each => parseFloat(getComputedStyle(each).fontSize) / innerHeight"
            )
            > 0.12
        )
        assert await slide.evaluate("each => getComputedStyle(each).backgroundColor") != live
        await expect(slide.locator(".do")).to_be_visible()  # What to do may still save somebody.
        assert await slide.evaluate("each => each.scrollHeight <= each.clientHeight")
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        await page.clock.fast_forward("06:00:00")
        await expect(page.locator(".slide")).to_have_count(0)
        await expect(cut).to_contain_text("情况不明")
        await expect(page.locator("#none")).to_be_hidden()  # Nobody knows that nothing is in force.
    async with centre(second) as again, serving(again, port):
        await again.release(flood("after"))
        await page.clock.fast_forward(20_000)
        await expect(cut).to_be_hidden()
        await expect(slide).to_be_visible()
        assert await slide.evaluate("each => getComputedStyle(each).backgroundColor") == live
        await page.close()


@pytest.mark.parametrize("path", [BOARD, "/p/990101001002"])
async def test_who_hears_of_a_change_but_cannot_fetch_it_is_not_up_to_date(
    own_site: Site, shared_browser: Browser, path: str
) -> None:
    page = await opened(shared_browser, own_site.url + path)
    await page.route(
        f"**{path}", lambda route: route.fulfill(status=503, body="<main id=board></main><div id=live></div>")
    )
    async with page.expect_request(f"**{path}"):
        await own_site.built.release(flood())
    await page.clock.fast_forward(60_000)
    await expect(page.locator("#cut")).to_be_visible()
    await page.unroute_all()
    await page.clock.fast_forward(20_000)
    await expect(page.locator("article").first).to_be_visible()
    await expect(page.locator("#cut")).to_be_hidden()
    await page.close()


async def test_an_open_page_that_is_cut_off_says_so_too(tmp_path: Path, shared_browser: Browser) -> None:
    async with centre(tmp_path) as built:
        async with serving(built, 0) as port:
            await built.release(flood())
            page = await shared_browser.new_page(locale="zh-CN")
            await page.clock.install(time="2001-01-01T00:00:00Z")
            async with page.expect_response("**/events?place=*"):
                await page.goto(f"http://127.0.0.1:{port}/p/990101001002")
            await expect(page.locator("#cut")).to_be_hidden()
        await page.clock.fast_forward(50_000)
        await expect(page.locator("#cut")).to_contain_text("与预警中心失去联系，最后更新 15:30。")
        await expect(page.locator("article")).to_be_visible()
        await page.close()


async def test_without_a_script_a_board_still_tells(own_site: Site, shared_browser: Browser) -> None:
    await own_site.built.release(flood())
    context = await shared_browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    await page.goto(f"{own_site.url}{BOARD}?n=1")
    await expect(page.locator(".slide:visible")).to_have_count(1)
    await expect(page.locator(".slide:visible .do")).to_contain_text("Go to high ground now.")
    await context.close()
