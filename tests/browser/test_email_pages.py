"""Mails in a real browser: readable on light and dark screens, at 320 pixels, without anything from elsewhere."""

from typing import Literal

import pytest
from playwright.async_api import Browser

from tests.browser.test_public_pages import WORST_CONTRAST
from tests.fakes.flood import ALERT, CANCEL, said, templates
from warnd.model.level import Level

SMALLEST_TARGET_PX = 24  # WCAG 2.2, 2.5.8.


def _mails() -> dict[str, str]:
    """Return one mail of every look there is."""
    made = {}
    for lang in ("zh", "en"):
        for level in (*Level, None):
            text = templates().text(
                "email", lang, message=said(level=level), kind="warning", drill=level is Level.BLUE, asks=True
            )
            made[f"{lang} {level}"] = text.html
        over = said(CANCEL, about=ALERT, cancel="lift")
        made[f"{lang} cancel"] = templates().text("email", lang, message=over, kind="cancel", drill=False).html
        made[f"{lang} area"] = (
            templates().text("email", lang, message=said(), kind="area", drill=True, repeated=True).html
        )
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_every_mail_is_readable(browser: Browser, scheme: Literal["light", "dark"], width: int) -> None:
    context = await browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 700}, java_script_enabled=True, offline=True
    )
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, html in _mails().items():
        await page.set_content(html)
        ratio, text = await page.evaluate(WORST_CONTRAST)
        assert ratio >= 4.5, f"{name}: {text!r} has {ratio:.2f}"
        overhang = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overhang <= 0, name
        for box in [await link.bounding_box() for link in await page.get_by_role("link").all()]:
            assert box is not None
            assert min(box["height"], box["width"]) >= SMALLEST_TARGET_PX, name
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[scheme]
    assert asked == []
    await context.close()


async def test_the_picture_of_a_mail_shows_its_level_and_the_button_without_any_image(browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 320, "height": 900})
    page = await context.new_page()
    await page.set_content(_mails()[f"zh {Level.RED}"])
    button = page.get_by_role("link", name="确认收到 / Confirm")
    shown = await button.evaluate("e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]")
    assert shown == ["rgb(11, 79, 168)", "rgb(255, 255, 255)"]
    banner = await page.locator("h1").evaluate("e => getComputedStyle(e.parentElement).backgroundColor")
    assert banner == "rgb(176, 0, 32)"
    assert await page.locator("img").count() == 0
    box = await button.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 640, "the button is seen without scrolling on a small telephone"
    assert (await page.screenshot())[:4] == b"\x89PNG"
    await context.close()
