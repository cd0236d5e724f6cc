"""What visitors of one place see: what touches it, from above or below, by geocode or polygon, and nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests import stores
from tests.fakes.rows import COUNTY, Rows
from tests.fakes.web_centre import EN, ZH, Centre, after, centre, flood
from tests.waiting import until
from warnd.ledger import schema, views
from warnd.ledger.store import Ledger
from warnd.model import cap
from warnd.web.places import Places

TOWNSHIP, OTHER_TOWNSHIP = "990101001000", "990101002000"
VILLAGE, OTHER_VILLAGE = "990101001002", "990101002001"


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


async def page(built: Centre, path: str, **headers: str) -> tuple[int, str]:
    async with built.visitor(**headers) as client:
        answered = await client.get(path)
        return answered.status_code, answered.text


def areas(*codes: str) -> tuple[cap.Info, ...]:
    area = replace(ZH.areas[0], geocodes=tuple(("region_code", code) for code in codes))
    return (replace(ZH, areas=(area,)),)


async def test_a_place_shows_what_lies_around_it_in_it_and_below_it(built: Centre) -> None:
    warning_id = await built.release(flood(infos=areas(TOWNSHIP)))
    touched = {VILLAGE, TOWNSHIP, COUNTY, "990101", "990101001"}
    for code in (*touched, OTHER_TOWNSHIP, OTHER_VILLAGE):
        status, text = await page(built, f"/p/{code}")
        assert status == 200
        assert (f"/w/{warning_id}" in text) == (code in touched), code
        assert ("此地目前没有生效中的预警。" in text) == (code not in touched), code
        assert "以上为 2026年07月03日 15:30 的情况。" in text


async def test_a_warning_leaves_a_place_with_its_cancel_which_is_told_there_and_nowhere_else(built: Centre) -> None:
    warning_id = await built.release(flood(infos=areas(VILLAGE)))
    assert f"/w/{warning_id}" in (await page(built, f"/p/{VILLAGE}"))[1]
    cancel = await built.release(after("flood-2", "Cancel", "flood-1", infos=()))
    here, elsewhere = (await page(built, f"/p/{VILLAGE}"))[1], (await page(built, f"/p/{OTHER_VILLAGE}"))[1]
    assert f"/w/{warning_id}" not in here
    assert "近一天的解除和撤回" in here
    assert f"/w/{cancel}" in here
    assert f"/w/{cancel}" not in elsewhere


async def test_an_update_that_moves_on_leaves_the_old_place(built: Centre) -> None:
    await built.release(flood(infos=areas(VILLAGE)))
    newer = await built.release(after("flood-2", "Update", "flood-1", infos=areas(OTHER_VILLAGE)))
    assert newer not in (await page(built, f"/p/{VILLAGE}"))[1]
    assert newer in (await page(built, f"/p/{OTHER_VILLAGE}"))[1]


@pytest.mark.parametrize("scope", ["Restricted", "Private"])
async def test_a_warning_for_few_is_in_no_place(built: Centre, scope: str) -> None:
    more = {"restriction": "duty officers"} if scope == "Restricted" else {"addresses": "duty@qinghe.example"}
    warning_id = await built.release(flood(scope=scope, infos=areas(VILLAGE), **more))
    for path in (f"/p/{VILLAGE}", f"/feed/{VILLAGE}.atom", f"/p/{VILLAGE}.json", f"/display/{VILLAGE}"):
        status, text = await page(built, path)
        assert (status, warning_id in text, ZH.instruction in text if ZH.instruction else False) == (200, False, False)


async def test_a_drill_is_in_no_place(built: Centre) -> None:
    alert = replace(cap.parse(flood()), status="Exercise")

    def make(rows: Rows) -> None:
        rows.warning("drill", alert)
        message = rows.message("drill", drill=1, public=0)
        rows.insert(schema.target_root, message_no=message, code=VILLAGE, how="geocode", outside=0)
        rows.target(message, VILLAGE)

    await built.rows(make)
    for path in (f"/p/{VILLAGE}", f"/feed/{VILLAGE}.atom", f"/p/{VILLAGE}.json", f"/display/{VILLAGE}"):
        status, text = await page(built, path)
        assert (status, "drill" in text, "洪水" in text) == (200, False, False)


async def test_the_tree_is_walked_up_and_down_by_links(built: Centre) -> None:
    text = (await page(built, f"/p/{TOWNSHIP}?lang=zh"))[1]
    assert f'<a href="/p/{COUNTY}?lang=zh">青河县</a>' in text
    assert f'<a href="/p/{VILLAGE}?lang=zh">1-2村</a>' in text
    assert f"/p/{OTHER_VILLAGE}" not in text
    assert f'href="/feed/{TOWNSHIP}.atom?lang=zh"' in text
    outermost = (await page(built, "/p"))[1]
    assert f"/p/{TOWNSHIP}" in outermost


async def test_many_places_come_page_by_page(built: Centre) -> None:
    names = [f"第{n}村" for n in range(1, 131)]

    def make(rows: Rows) -> None:
        for n, name in enumerate(names, 200):
            rows.region(f"990101002{n}", name, tier="village", parent=OTHER_TOWNSHIP)

    await built.rows(make)
    seen: list[str] = []
    path = f"/p/{OTHER_TOWNSHIP}?lang=zh"
    for _ in range(3):
        text = (await page(built, path))[1]
        assert len(text.encode()) < 20_000
        seen += re.findall(r">(第\d+村)<", text)
        further = re.search(r'href="([^"]*)">后面的地方', text)
        path = further[1].replace("&amp;", "&") if further else ""
    assert (seen, path) == (names, "")


UNKNOWN = ("990199", "nowhere", "%00", "..%2F..%2Fetc", "村" * 50, "<script>", "x" * 5000, "%F0%9F%8C%8A")


async def test_an_unknown_place_is_a_404_that_helps(built: Centre) -> None:
    for code in UNKNOWN:
        status, text = await page(built, f"/p/{code}", **{"Accept-Language": "en"})
        assert status == 404
        if "%2F" not in code:  # Which is no place's address at all.
            assert "No such place" in text
            assert 'name="q"' in text
            assert f"/p/{TOWNSHIP}" in text
        assert "<script>" not in text
        for path in (f"/feed/{code}.atom", f"/p/{code}.json", f"/display/{code}", f"/events?place={code}"):
            assert (await page(built, path))[0] == 404, path


FOUND = {
    "1-2村": VILLAGE,
    "１-２村": VILLAGE,
    "第1乡 1-2村": VILLAGE,
    "第1乡2村": VILLAGE,
    "青河": COUNTY,
    "990101001": TOWNSHIP,
    " 990101001002 ": VILLAGE,
}


async def test_a_place_is_found_by_name_or_code(built: Centre) -> None:
    async with built.visitor() as client:
        for query, first in FOUND.items():
            text = (await client.get("/p", params={"q": query, "lang": "zh"})).text
            assert re.findall(r'href="/p/(\w+)\?', text.partition("的查找结果")[2])[0] == first, query


async def test_a_place_is_found_by_its_name_in_another_language(built: Centre) -> None:
    def make(rows: Rows) -> None:
        rows.region("990101003000", "柳河镇", tier="township", parent=COUNTY)
        rows.insert(schema.region_name, key="liuhe town", code="990101003000")
        rows.insert(schema.region_name, key="town", code="990101003000")
        rows._conn.execute(
            schema.region.update().where(schema.region.c.code == "990101003000").values(names='{"en": "Liuhe Town"}')
        )

    await built.rows(make)
    for query in ("liuhe", "LIUHE town", "Town"):
        async with built.visitor() as client:
            text = (await client.get("/p", params={"q": query, "lang": "en"})).text
        assert '<a href="/p/990101003000?lang=en">Liuhe Town</a>' in text, query


STRANGE = ("", " ", "x" * 1000, "%", "_", "'; DROP TABLE region; --", "\x00", "<b>", "村" * 300, "𠀀")


async def test_a_strange_query_finds_nothing_and_breaks_nothing(built: Centre) -> None:
    async with built.visitor() as client:
        for query in STRANGE:
            answered = await client.get("/p", params={"q": query, "lang": "zh"})
            assert answered.status_code == 200
            assert len(answered.content) < 20_000
            assert "<b>" not in answered.text
    assert (await page(built, f"/p/{VILLAGE}"))[0] == 200


@dataclass
class _Held:
    """The ledger, in which searching takes until it is let go."""

    ledger: Ledger
    go: asyncio.Event
    searching: int = 0

    async def read(self, op: Any, **values: Any) -> Any:
        if op is views.find_places:
            self.searching += 1
            await self.go.wait()
        return await self.ledger.read(op, **values)


async def test_who_searches_keeps_nobody_from_their_place(built: Centre) -> None:
    held = _Held(built.ledger, asyncio.Event())
    places = Places(ledger=held, clock=built.clock, jurisdiction=())  # type: ignore[arg-type] # it is only read
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(places.named("a b c a b c"))
        await until(lambda: held.searching == 1)
        assert await asyncio.wait_for(places.find(VILLAGE), 5)
        held.go.set()
    assert held.searching == 20


async def test_a_name_that_no_longer_holds_finds_nothing(built: Centre) -> None:
    await built.rows(lambda rows: rows.insert(schema.region_name, key="旧名", code=VILLAGE))
    async with built.visitor() as client:
        assert "没有找到" in (await client.get("/p", params={"q": "旧名"})).text


async def test_a_place_outside_says_that_another_centre_warns_there(built: Centre) -> None:
    await built.rows(lambda rows: rows.region("990202000000", "邻县", tier="county"))
    text = (await page(built, "/p/990202"))[1]
    assert "不负责此地的预警" in text
    assert "没有生效中的预警" not in text
    async with built.visitor() as client:
        assert "没有找到" in (await client.get("/p", params={"q": "邻县"})).text


async def test_what_is_planned_and_what_is_not_yet_touch_the_same_places() -> None:
    ledger = stores.inline()

    def make(conn: Connection) -> dict[str, list[frozenset[str]]]:
        rows = Rows(conn)
        rows.county()
        alert = cap.parse(flood())
        found: dict[str, list[frozenset[str]]] = {}
        for id_, stage in (("early", "regions"), ("planned", "planned")):
            rows.warning(id_, alert)
            message = rows.message(id_, stage=stage)
            for code in (VILLAGE, "990101001003"):  # As a polygon over two villages is resolved.
                rows.insert(schema.target_root, message_no=message, code=code, how="polygon", outside=0)
            if stage == "planned":
                rows.target(message, VILLAGE)
                rows.target(message, "990101001003")
                for code, tier in ((TOWNSHIP, "township"), (COUNTY, "county")):
                    rows.target(message, code, tier=tier, ancestor=1)
        for code in (VILLAGE, TOWNSHIP, COUNTY, OTHER_TOWNSHIP, OTHER_VILLAGE, "990101001001"):
            place = views.public_place(conn, code=code, jurisdiction=("990101",), limit=1)
            assert place is not None
            assert place.region is not None
            found[code] = [
                views.reaching(conn, place=place.region, served=served, ids={"early", "planned"})
                for served in (True, False)
            ]
        return found

    found = await ledger.write(make)
    both: frozenset[str] = frozenset({"early", "planned"})
    assert found == {
        VILLAGE: [both, both],
        TOWNSHIP: [both, both],
        COUNTY: [both, both],
        OTHER_TOWNSHIP: [frozenset(), frozenset()],
        OTHER_VILLAGE: [frozenset(), frozenset()],
        "990101001001": [frozenset(), frozenset()],
    }
    await ledger.close()


UG = replace(
    ZH,
    language="ug-CN",
    event="كەلكۈن",
    headline="كەلكۈن",
    instruction="دەرھال ئېگىز يەرگە چىقىڭ.",
    areas=(replace(ZH.areas[0], description="1-يېزا"),),
)


async def test_a_language_that_only_the_warning_has_can_be_chosen_and_runs_its_own_way(built: Centre) -> None:
    warning_id = await built.release(flood(infos=(ZH, EN, UG)))
    for path in ("/", f"/w/{warning_id}", f"/p/{TOWNSHIP}"):
        text = (await page(built, f"{path}?lang=ug"))[1]
        assert '<html lang="zh-CN">' in text  # The words around it are the node's.
        assert re.search(r'<p class="act" lang="ug" dir="rtl">دەرھال', text), path
        assert '<a href="?lang=ug" lang="ug" dir="rtl" hreflang="ug" aria-current="true">ئۇيغۇرچە</a>' in text
        assert f'<link rel="alternate" hreflang="ug" href="https://warn.qinghe.example{path}?lang=ug">' in text
        assert "没有您所选的语言" not in text
    assert "دەرھال" in (await page(built, f"/w/{warning_id}", **{"Accept-Language": "ug, zh;q=0.5"}))[1]


async def test_a_text_in_another_language_comes_with_a_word_of_excuse(built: Centre) -> None:
    warning_id = await built.release(flood(infos=(ZH,)))
    for path in ("/", f"/w/{warning_id}", f"/p/{TOWNSHIP}"):
        english = (await page(built, f"{path}?lang=en"))[1]
        assert "This warning was not issued in your language. Its text is in: 中文" in english
        assert "not issued in your language" not in (await page(built, path, **{"Accept-Language": "en, zh;q=0.1"}))[1]
        assert "没有您所选的语言" not in (await page(built, path))[1]


TAGS = ("<script>", "'\"><img src=x>", "x" * 5000, "zh-CN-u-co-pinyin", "\x00", "..", "ZH")


async def test_a_strange_language_is_never_repeated(built: Centre) -> None:
    await built.release(flood())
    async with built.visitor() as client:
        for lang in TAGS:
            for path in ("/", f"/p/{TOWNSHIP}", "/p", "/nothing", "/feed/cap.atom"):
                answered = await client.get(path, params={"lang": lang})
                assert answered.status_code in {200, 404}
                assert "<img" not in answered.text
                assert "xxxx" not in answered.text
                assert len(answered.content) < 20_000


async def test_links_never_follow_a_forged_host(built: Centre) -> None:
    await built.release(flood())
    async with built.visitor(Host="evil.example", **{"X-Forwarded-Host": "evil.example"}) as client:
        for path in ("/", f"/p/{TOWNSHIP}", "/feed/cap.atom", "/feed/warnings.json", f"/display/{TOWNSHIP}"):
            assert "evil.example" not in (await client.get(path)).text
