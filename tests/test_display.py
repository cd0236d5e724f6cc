"""Display boards as the server gives them: what is in force at one place, largest first, in every language read there."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.clock import START
from tests.fakes.rows import Rows
from tests.fakes.web_centre import EN, FLOOD, ZH, Centre, after, centre, flood
from warnd.ledger import schema

TOWNSHIP, VILLAGE, OTHER_VILLAGE = "990101001000", "990101001002", "990101002001"


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


async def board(built: Centre, place: str = VILLAGE, query: str = "") -> str:
    async with built.visitor() as client:
        answered = await client.get(f"/display/{place}{query}")
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"  # Its time is the moment in which it was made.
    return answered.text


def titles(text: str) -> list[str]:
    return re.findall(r"<h2.*?<span>(.*?)</span></h2>", text, re.DOTALL)


async def test_the_gravest_comes_first_in_each_language_and_then_the_next(built: Centre) -> None:
    minor = tuple(replace(info, severity="Minor") for info in (ZH, EN))
    await built.release(flood("red"))
    await built.release(flood("blue", infos=minor))
    text = await board(built)
    assert titles(text) == ["洪水红色预警", "RED Flood warning", "洪水蓝色预警", "BLUE Flood warning"]
    assert "生效中的预警：2 条" in text
    assert titles(await board(built, OTHER_VILLAGE)) == []
    assert "目前没有生效中的预警" in await board(built, OTHER_VILLAGE)


async def test_without_a_script_the_page_goes_from_slide_to_slide_by_itself(built: Centre) -> None:
    await built.release(flood())
    seen = []
    query = ""
    for _ in range(3):
        text = await board(built, query=query)
        slides = re.findall(r'<article class="slide[^>]*?( hidden)?>\n(.*?)</article>', text, re.DOTALL)
        (shown,) = [slide for hidden, slide in slides if not hidden]
        seen += titles(shown)
        following = re.search(r'<noscript><meta http-equiv="refresh" content="12; url=([^"]+)">', text)
        assert following is not None
        query = following[1].removeprefix(f"/display/{VILLAGE}")
    assert seen == ["洪水红色预警", "RED Flood warning", "洪水红色预警"]
    for strange in ("?n=-1", "?n=x", "?n=99999999", "?n=²"):
        assert titles(await board(built, query=strange))


async def test_every_slide_says_when_it_ends_and_the_page_what_time_it_is(built: Centre) -> None:
    await built.release(flood())
    text = await board(built)
    ends = round((START + timedelta(hours=6)).timestamp() * 1000)
    assert set(re.findall(r'data-expires="(\d*)"', text)) == {str(ends)}
    assert f'data-now="{round(built.clock.now().timestamp() * 1000)}"' in text
    assert "有效至 07月03日 21:30" in text
    assert "In force until 03 Jul 21:30" in text


async def test_a_cancelled_and_an_expired_warning_leave_the_board(built: Centre) -> None:
    await built.release(flood("one"))
    await built.release(after("two", "Cancel", "one", infos=()))
    assert titles(await board(built)) == []
    await built.release(flood("three"))
    built.clock.advance(6 * 3600)
    assert titles(await board(built)) == []


async def test_more_warnings_than_can_come_round_are_counted(built: Centre) -> None:
    for number in range(9):
        await built.release(flood(f"flood-{number}"))
    text = await board(built)
    assert len(titles(text)) == 12
    assert "生效中的预警：9 条" in text
    assert f"另有 3 条预警，请看 https://warn.qinghe.example/p/{VILLAGE}" in text
    assert len(text.encode()) < 20_000


async def test_a_warning_in_another_language_still_names_its_level(built: Centre) -> None:
    alert = replace(FLOOD, infos=(replace(ZH, language="ug", event="كەلكۈن", instruction="چىقىڭ"),))

    def make(rows: Rows) -> None:
        rows.warning("ug", alert)
        rows.insert(schema.target_root, message_no=rows.message("ug"), code=VILLAGE, how="geocode", outside=0)

    await built.rows(make)
    text = await board(built)
    assert titles(text) == ["كەلكۈن"]
    assert '<p class="badge">红色 Ⅰ级（特别严重）</p>' in text
    assert re.search(r'<p class="do[^"]*" lang="ug" dir="rtl">چىقىڭ', text)


async def test_text_from_outside_is_text_on_a_board_too(built: Centre) -> None:
    attack = "<img src=x onerror=alert(1)>\"'"
    info = replace(
        ZH, event=attack, instruction=attack, sender_name=attack, areas=(replace(ZH.areas[0], description=attack),)
    )
    await built.release(flood(infos=(info,)))
    text = await board(built)
    assert "<img" not in text
    assert "&lt;img" in text
    assert " style=" not in text
