"""What the public sees, and what it must never see (DESIGN §4, §8, §13)."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from lxml import etree

from tests.fakes.clock import START
from tests.fakes.web_centre import CAP_TYPE, EN, PUBLIC_URL, ZH, Centre, after, centre, flood
from warnd.ledger.door import Operation
from warnd.ledger.store import InlineLedger
from warnd.model import cap
from warnd.model.level import Level
from warnd.web.site import Site

P = ParamSpec("P")
T = TypeVar("T")

ATOM = {"a": "http://www.w3.org/2005/Atom"}
HEADLINE = "青河县气象台发布洪水红色预警"


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


async def page(built: Centre, path: str, **headers: str) -> tuple[int, str]:
    async with built.visitor(**headers) as client:
        answered = await client.get(path)
        return answered.status_code, answered.text


async def entries(built: Centre) -> list[etree._Element]:
    async with built.visitor() as client:
        answered = await client.get("/feed/cap.atom")
        assert answered.headers["content-type"] == "application/atom+xml; charset=utf-8"
        return etree.fromstring(answered.content).findall("a:entry", ATOM)


async def is_nowhere(built: Centre, warning_id: str) -> bool:
    """Say whether nothing public leads to a warning or shows it."""
    hidden = []
    async with built.visitor() as client:
        for path in (f"/w/{warning_id}", f"/feed/{warning_id}.xml"):
            answered = await client.get(path)
            hidden.append(answered.status_code == 404 and HEADLINE not in answered.text)
        for path in ("/", "/feed/cap.atom"):
            answered = await client.get(path)
            hidden.append(
                answered.status_code == 200 and warning_id not in answered.text and HEADLINE not in answered.text
            )
    return all(hidden)


async def test_a_released_warning_is_everywhere_with_what_to_do_first(built: Centre) -> None:
    assert "目前没有生效中的预警" in (await page(built, "/"))[1]
    warning_id = await built.release(flood())
    status, front = await page(built, "/")
    assert status == 200
    for part in ("请立即转移到高处。", "红色 Ⅰ级", "洪水红色预警", "第1乡", f"/w/{warning_id}", "<svg"):
        assert part in front
    status, own = await page(built, f"/w/{warning_id}")
    assert status == 200
    order = [
        "洪水红色预警",
        "请立即转移到高处。",
        "第1乡",
        "2026年07月03日 15:30 (Asia/Shanghai) 至",
        "发布单位",
        "上游水库正在泄洪。",
    ]
    places = [own.index(part, own.index("<main")) for part in order]
    assert places == sorted(places)
    (entry,) = await entries(built)
    assert entry.findtext("a:title", namespaces=ATOM) == HEADLINE


@pytest.mark.parametrize("scope", ["Restricted", "Private"])
async def test_a_warning_for_few_is_not_public(built: Centre, scope: str) -> None:
    more = {"restriction": "duty officers"} if scope == "Restricted" else {"addresses": "duty@qinghe.example"}
    assert await is_nowhere(built, await built.release(flood(scope=scope, **more)))


async def test_what_waits_or_was_turned_down_is_not_public(built: Centre) -> None:
    async with built.caller("submit") as client, built.caller("release") as chief:
        waiting = (await client.post("/api/v1/warnings", content=flood("w"), headers=CAP_TYPE)).json()["id"]
        rejected = (await client.post("/api/v1/warnings", content=flood("r"), headers=CAP_TYPE)).json()["id"]
        await chief.post(f"/api/v1/warnings/{rejected}/reject", json={"reason": "no"})
        early = flood("h", sent=START + timedelta(hours=1))
        held = await client.post("/api/v1/warnings", content=early, headers=CAP_TYPE)
        assert held.status_code == 202
        built.clock.advance(1)
    for warning_id in (waiting, rejected, held.json()["id"]):
        assert await is_nowhere(built, warning_id)


async def test_a_quarantined_copy_is_not_public(built: Centre) -> None:
    await built.release(flood())
    async with built.caller() as client:
        other = await client.post("/api/v1/warnings", content=flood(note="changed"), headers=CAP_TYPE)
        assert other.status_code == 409
    assert (await page(built, f"/w/{other.json()['id']}"))[0] == 404


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
async def test_a_drill_is_not_public_even_where_drills_go_out(built: Centre, status: str) -> None:
    alert = replace(cap.parse(flood()), status=status)
    await built.rows(lambda rows: (rows.warning("drill", alert), rows.message("drill", drill=1, public=0)))
    assert await is_nowhere(built, "drill")


async def test_a_cancelled_warning_says_so_leaves_the_front_page_and_its_cancel_takes_its_place_in_the_feed(
    built: Centre,
) -> None:
    alert = await built.release(flood())
    async with built.caller() as client:
        asked = {"kind": "retract", "reason": "sent by mistake"}
        cancel = (await client.post(f"/api/v1/warnings/{alert}/cancel", json=asked)).json()["id"]
        built.clock.advance(1)
    status, own = await page(built, f"/w/{alert}")
    assert status == 200
    assert "本预警已取消，不再有效。" in own
    assert f"/w/{cancel}" in own
    front = (await page(built, "/"))[1]
    assert alert not in front
    assert HEADLINE not in front
    status, text = await page(built, f"/w/{cancel}")
    assert status == 200
    assert "系误发，请勿按其行动" in text
    assert f"/w/{alert}" in text
    ids = [entry.findtext("a:id", namespaces=ATOM) for entry in await entries(built)]
    assert ids == [f"{PUBLIC_URL}/w/{cancel}"]
    built.clock.advance(25 * 3600)
    assert await entries(built) == []
    assert (await page(built, f"/w/{cancel}"))[0] == 200


async def test_a_bare_cancel_has_a_page_and_an_entry_of_its_own(built: Centre) -> None:
    alert = await built.release(flood())
    cancel = await built.release(after("flood-2", "Cancel", "flood-1", infos=()))
    status, text = await page(built, f"/w/{cancel}")
    assert (status, "预警取消" in text) == (200, True)
    (entry,) = await entries(built)
    assert entry.findtext("a:title", namespaces=ATOM) == "预警取消"
    assert (await page(built, f"/w/{alert}"))[0] == 200


async def test_a_warning_whose_cancel_came_first_was_never_public(built: Centre) -> None:
    await built.release(after("flood-2", "Cancel", "flood-1", infos=()))
    async with built.caller() as client:
        late = await client.post("/api/v1/warnings", content=flood(), headers=CAP_TYPE)
        built.clock.advance(1)
    assert (late.status_code, late.json()["state"]) == (201, "cancelled")
    assert (await page(built, f"/w/{late.json()['id']}"))[0] == 404


async def test_a_superseded_warning_links_to_the_newer_one(built: Centre) -> None:
    older = await built.release(flood())
    newer = await built.release(after("flood-2", "Update", "flood-1"))
    status, text = await page(built, f"/w/{older}")
    assert (status, "已被更新的信息取代" in text, f"/w/{newer}" in text) == (200, True, True)
    front = (await page(built, "/"))[1]
    assert (older in front, newer in front) == (False, True)


async def test_a_warning_runs_out_by_the_clock_alone(built: Centre) -> None:
    warning_id = await built.release(flood())
    built.clock.advance(6 * 3600)
    front = (await page(built, "/"))[1]
    assert warning_id not in front
    assert await entries(built) == []
    status, text = await page(built, f"/w/{warning_id}")
    assert (status, "本预警已过有效期" in text) == (200, True)


async def test_the_language_is_the_visitors(built: Centre) -> None:
    warning_id = await built.release(flood())
    for headers, query, part in (
        ({}, "", "请立即转移到高处。"),
        ({"Accept-Language": "en-GB,en;q=0.8"}, "", "Go to high ground now."),
        ({"Accept-Language": "fr, en;q=0.3, zh-TW;q=0.5"}, "", "请立即转移到高处。"),
        ({"Accept-Language": "fr;q=x, *;q=0.1"}, "", "请立即转移到高处。"),
        ({"Accept-Language": "en"}, "?lang=zh", "请立即转移到高处。"),
        ({}, "?lang=en", "Go to high ground now."),
        ({}, "?lang=xx", "请立即转移到高处。"),
    ):
        assert part in (await page(built, f"/w/{warning_id}{query}", **headers))[1]
    english = (await page(built, "/?lang=en"))[1]
    assert '<html lang="en">' in english
    for part in ("RED, level I of IV", "RED Flood", "Township 1", "03 Jul 15:30 to 03 Jul 21:30"):
        assert part in english
    assert "03 July 2026, 15:30 (Asia/Shanghai)" in (await page(built, f"/w/{warning_id}?lang=en"))[1]


async def test_a_warning_in_one_language_is_shown_to_all_with_its_language_marked(built: Centre) -> None:
    warning_id = await built.release(flood(infos=(ZH,)))
    text = (await page(built, f"/w/{warning_id}?lang=en"))[1]
    assert '<html lang="en">' in text
    assert re.search(r'<p class="act" lang="zh" dir="ltr">请立即转移到高处。', text)


@pytest.mark.parametrize(
    ("severity", "level"), [("Extreme", "red"), ("Severe", "orange"), ("Moderate", "yellow"), ("Minor", "blue")]
)
async def test_every_level_has_colour_words_and_a_shape_of_its_own(built: Centre, severity: str, level: str) -> None:
    warning_id = await built.release(flood(infos=(replace(ZH, severity=severity),)))
    text = (await page(built, f"/w/{warning_id}"))[1]
    named = Level.named(level)
    assert f'class="badge {level}"' in text
    assert f"{named.colour_zh} {named.grade_zh}" in text
    shapes = {"red": "M7.5 1h9", "orange": "M12 1.5", "yellow": "M12 .8", "blue": "<circle"}
    assert [each for each, shape in shapes.items() if shape in text] == [level]


UNSEEN = "\u202e\u202c\u200b\ufeff"
HOSTILE = f"<script>alert(1)</script>\"' onload=x {{{{ 7*7 }}}} {{% raw %}} {UNSEEN}"


async def test_text_from_outside_is_text(built: Centre) -> None:
    info = replace(
        ZH,
        headline=HOSTILE,
        description=HOSTILE,
        instruction=HOSTILE,
        sender_name=HOSTILE,
        contact=HOSTILE,
        event=HOSTILE,
        web="javascript:alert(1)",
        areas=(replace(ZH.areas[0], description=HOSTILE),),
    )
    warning_id = await built.release(flood(infos=(info,)))
    for path in ("/", f"/w/{warning_id}"):
        text = (await page(built, path))[1]
        assert "<script>alert" not in text
        assert "javascript:" not in text
        assert "onload=x " not in re.sub(r">[^<]*<", "><", text)
        assert "{{ 7*7 }}" in text
        assert not set(UNSEEN) & set(text)
    async with built.visitor() as client:
        feed = await client.get("/feed/cap.atom")
    assert etree.fromstring(feed.content).find("a:entry/a:title", ATOM) is not None


async def test_a_web_address_is_a_link_only_if_it_is_one(built: Centre) -> None:
    warning_id = await built.release(flood(infos=(replace(ZH, web="https://qinghe.example/flood?a=1&b=2"),)))
    assert 'href="https://qinghe.example/flood?a=1&amp;b=2"' in (await page(built, f"/w/{warning_id}"))[1]


async def test_pages_stay_small_however_much_is_in_force(built: Centre) -> None:
    areas = tuple(
        cap.Area(description=f"第{n}村委会所在地及其周边", geocodes=ZH.areas[0].geocodes) for n in range(1500)
    )
    long = replace(ZH, description="水" * 9000, instruction="走" * 9000, areas=areas)
    warning_id = await built.release(flood("big", infos=(long,)))
    for number in range(60):
        await built.release(flood(f"flood-{number}", infos=(replace(long, areas=areas[:40]),)))
    for path in ("/", f"/w/{warning_id}", "/?lang=en"):
        status, text = await page(built, path)
        assert status == 200
        assert len(text.encode()) < 20_000
    assert "另有 37 条预警" in (await page(built, "/"))[1]
    assert "详见 CAP 文件" in (await page(built, f"/w/{warning_id}"))[1]
    assert len(await entries(built)) == 61


async def test_the_feed_is_atom_with_cap_behind_it(built: Centre) -> None:
    first = await built.release(flood("one"))
    second = await built.release(flood("two"))
    async with built.visitor() as client:
        feed = etree.fromstring((await client.get("/feed/cap.atom")).content)
        document = await client.get(f"/feed/{first}.xml")
    check_atom(feed)
    assert [entry.findtext("a:id", namespaces=ATOM) for entry in feed.findall("a:entry", ATOM)] == [
        f"{PUBLIC_URL}/w/{second}",
        f"{PUBLIC_URL}/w/{first}",
    ]
    link = feed.find("a:entry[2]/a:link[@type='application/cap+xml']", ATOM)
    assert link is not None
    assert link.get("href") == f"{PUBLIC_URL}/feed/{first}.xml"
    assert document.headers["content-type"] == "application/cap+xml"
    assert cap.parse(document.content) == cap.parse(flood("one"))


def check_atom(feed: etree._Element) -> None:
    """Hold a feed to what RFC 4287 §4 demands of feeds and entries."""
    for element in (feed, *feed.findall("a:entry", ATOM)):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", ATOM)) == 1, name
        assert element.find("a:author/a:name", ATOM) is not None
        address = element.findtext("a:id", namespaces=ATOM)
        assert address is not None
        assert address.startswith("https://")
        for name in ("updated", "published"):
            for moment in element.findall(f"a:{name}", ATOM):
                assert moment.text is not None
                assert datetime.fromisoformat(moment.text).tzinfo == UTC
        links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in element.findall("a:link", ATOM)]
        assert len(links) == len(set(links)), "two alternates of one kind"
        assert all(link.get("href") for link in element.findall("a:link", ATOM))
    ids = [entry.findtext("a:id", namespaces=ATOM) for entry in feed.findall("a:entry", ATOM)]
    assert len(ids) == len(set(ids))
    assert feed.find("a:link[@rel='self']", ATOM) is not None


async def test_an_unchanged_page_is_not_sent_again(built: Centre) -> None:
    warning_id = await built.release(flood())
    async with built.visitor() as client:
        for path in ("/", f"/w/{warning_id}", "/feed/cap.atom", f"/feed/{warning_id}.xml", "/static/site.css"):
            first = await client.get(path)
            tag = first.headers["etag"]
            again = await client.get(path, headers={"If-None-Match": f'W/"other", {tag}'})
            assert (again.status_code, again.content) == (304, b""), path
            assert "Accept-Language" in first.headers["vary"]
        tag = (await client.get("/")).headers["etag"]
        await built.release(flood("flood-2"))
        assert (await client.get("/", headers={"If-None-Match": tag})).status_code == 200


class CountingLedger:
    """Counts the reads that pass through it."""

    def __init__(self, ledger: InlineLedger) -> None:
        self._ledger = ledger
        self.reads = 0

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.reads += 1
        return await self._ledger.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._ledger.write(op, *args, **kwargs)

    async def close(self) -> None:
        await self._ledger.close()


async def test_many_visitors_at_once_cost_one_look_and_a_ring_costs_one_more(built: Centre) -> None:
    counting = CountingLedger(built.ledger)
    site = Site(ledger=counting, clock=built.clock, bell=built.daemon.bell)
    await asyncio.gather(*(site.picture() for _ in range(50)))
    assert counting.reads == 1
    await built.release(flood())
    pictures = await asyncio.gather(*(site.picture() for _ in range(50)))
    assert counting.reads == 2
    assert {len(each.warnings) for each in pictures} == {1}


@pytest.mark.parametrize(
    "path", ["/", "/w/x", "/feed/cap.atom", "/api/docs", "/api/v1/warnings", "/healthz", "/static/live.js"]
)
async def test_every_answer_forbids_what_the_pages_never_need(built: Centre, path: str) -> None:
    async with built.visitor() as client:
        headers = (await client.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" in headers  # The centre of these tests is reached over https.


async def test_pages_need_nothing_but_themselves(built: Centre) -> None:
    warning_id = await built.release(flood())
    for path in ("/", f"/w/{warning_id}", "/nothing", "/api/docs"):
        text = (await page(built, path))[1]
        assert " style=" not in text
        assert "<style" not in text
        assert not re.search(r"<script(?![^>]* src=\"/static/)", text)
        loads = re.sub(r"<link rel=\"alternate\" [^>]*>", "", text)  # Which only name other forms of the page.
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", loads)
        loaded = set(re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", text))
        async with built.visitor() as client:
            for address in loaded:
                assert (await client.get(address)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/display/990199000000",
        "/p/990199000000.json",
        "/a/token",
        "/receipts/twilio/status",
        "/w/",
        "/feed/x",
        "/static/../app.py",
        "/static/zh.toml",
        "/wp-login.php",
    ],
)
async def test_what_does_not_exist_is_a_readable_404(built: Centre, path: str) -> None:
    status, text = await page(built, path)
    assert (status, "没有这个页面" in text) == (404, True)
    assert "No such page" in (await page(built, path, **{"Accept-Language": "en"}))[1]


async def test_the_site_can_be_off(tmp_path: Path) -> None:
    async with centre(tmp_path, more="[web]\nsite = false\n") as built:
        await built.release(flood())
        for path in ("/", "/feed/cap.atom", "/events"):
            assert (await page(built, path))[0] == 404
        assert (await page(built, "/healthz"))[0] == 200


async def test_the_centres_name_for_a_sender_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    more = '[intake.sender_names]\n"flood@qinghe.example" = "青河县水利局"\n'
    async with centre(tmp_path, more=more) as built:
        infos = tuple(replace(info, sender_name=None) for info in (ZH, EN))
        warning_id = await built.release(flood(infos=infos))
        assert "青河县水利局" in (await page(built, f"/w/{warning_id}"))[1]
