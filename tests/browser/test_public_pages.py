"""The public site in a real browser: live with scripts, whole without them, readable in every colour scheme."""

import re
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Site
from tests.fakes.web_centre import EN, ZH, flood

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEVERITIES = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}

# The contrast of every piece of text against what is truly painted behind it (WCAG 2 relative luminance); the worst is returned.
WORST_CONTRAST = """() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  let worst = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.textContent.trim() || ["SCRIPT", "NOSCRIPT"].includes(node.parentElement.tagName)) continue;
    const [a, b] = [luminance(parse(getComputedStyle(node.parentElement).color)), luminance(behind(node.parentElement))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.textContent.trim()];
  }
  return worst;
}"""


async def _watched(page: Page) -> list[str]:
    """Collect everything that the browser complains about: blocked scripts, broken requests, errors."""
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url} {request.failure}"))
    return complaints


async def test_an_open_front_page_shows_a_release_and_a_cancel_by_itself(
    own_site: Site, shared_browser: Browser
) -> None:
    page = await shared_browser.new_page(locale="zh-CN")
    complaints = await _watched(page)
    async with page.expect_response("**/events"):
        await page.goto(own_site.url)
    await expect(page.locator("main")).to_contain_text("目前没有生效中的预警")
    warning_id = await own_site.built.release(flood())
    await expect(page.locator("article.card.red")).to_contain_text("请立即转移到高处。", timeout=2_000)
    async with own_site.built.caller() as client:
        await client.post(f"/api/v1/warnings/{warning_id}/cancel", json={"kind": "lift", "reason": "over"})
        own_site.built.clock.advance(1)
    await expect(page.locator("main")).to_contain_text("目前没有生效中的预警", timeout=2_000)
    assert complaints == []
    await page.close()


async def test_an_open_warning_page_says_by_itself_that_it_no_longer_holds(
    own_site: Site, shared_browser: Browser
) -> None:
    warning_id = await own_site.built.release(flood())
    page = await shared_browser.new_page(locale="en-GB")
    async with page.expect_response("**/events"):
        await page.goto(f"{own_site.url}/w/{warning_id}")
    await expect(page.locator("h1")).to_have_text(re.compile("Flood"))
    async with own_site.built.caller() as client:
        await client.post(f"/api/v1/warnings/{warning_id}/cancel", json={"kind": "retract", "reason": "mistake"})
        own_site.built.clock.advance(1)
    await expect(page.locator(".banner")).to_contain_text("This warning was cancelled", timeout=2_000)
    await page.close()


async def test_everything_is_readable_without_scripts(own_site: Site, shared_browser: Browser) -> None:
    warning_id = await own_site.built.release(flood())
    context = await shared_browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = await context.new_page()
    await page.goto(own_site.url)
    await page.get_by_role("link", name="洪水红色预警").click()
    await expect(page).to_have_url(re.compile(rf"/w/{warning_id}\?lang=zh$"))
    for part in ("请立即转移到高处。", "第1乡", "青河县气象台", "红色 Ⅰ级"):
        await expect(page.locator("main")).to_contain_text(part)
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("main")).to_contain_text("Go to high ground now.")
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_every_text_stands_out_from_its_ground_and_nothing_runs_off_a_small_screen(
    own_site: Site, shared_browser: Browser, scheme: str, width: int
) -> None:
    for level, severity in SEVERITIES.items():
        infos = tuple(
            replace(info, severity=severity, web="https://qinghe.example/" + "long" * 40) for info in (ZH, EN)
        )
        warning_id = await own_site.built.release(flood(level, infos=infos))
    async with own_site.built.caller() as client:
        await client.post(f"/api/v1/warnings/{warning_id}/cancel", json={"kind": "lift", "reason": "over"})
        own_site.built.clock.advance(1)
    context = await shared_browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}, locale="zh-CN"
    )
    page = await context.new_page()
    for path in ("/", f"/w/{warning_id}", "/nothing", "/api/docs"):
        await page.goto(own_site.url + path)
        ratio, text = await page.evaluate(WORST_CONTRAST)
        assert ratio >= 4.5, f"{path}: {text!r} has {ratio:.2f}"
        overhang = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overhang <= 0, path
    await context.close()


async def test_a_hostile_warning_runs_nothing(own_site: Site, shared_browser: Browser) -> None:
    attack = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    info = replace(
        ZH,
        headline=attack,
        instruction=attack,
        description=attack,
        event=attack,
        web="javascript:document.title='owned'",
    )
    warning_id = await own_site.built.release(flood(infos=(info,)))
    page = await shared_browser.new_page()
    for path in ("/", f"/w/{warning_id}"):
        await page.goto(own_site.url + path)
        await expect(page.locator("main")).to_contain_text("onerror")
        assert "owned" not in (await page.title()).split("·")[-1]
        assert await page.locator("main img, main script").count() == 0
    await page.close()
