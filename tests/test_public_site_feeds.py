"""What programs read: Atom as other people's readers take it, CAP inside and behind it, JSON from any site; unchanged is not sent again."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser  # type: ignore[import-untyped] # it has no types
import httpx
import pytest
from capparselib.parsers import CAPParser  # type: ignore[import-untyped] # it has no types
from lxml import etree

from tests.fakes.web_centre import EN, PUBLIC_URL, ZH, Centre, after, centre, flood
from warnd.model import cap
from warnd.web.cached import Body, Shelf

VILLAGE, OTHER_VILLAGE = "990101001002", "990101002001"
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


async def get(built: Centre, path: str, **headers: str) -> httpx.Response:
    async with built.visitor(**headers) as client:
        return await client.get(path)


def read(answered: httpx.Response) -> Any:
    """Read a feed as feedparser reads what came over HTTP; `bozo` is its word for a feed that is not as it should be."""
    found = feedparser.parse(answered.content, response_headers={"content-type": answered.headers["content-type"]})
    assert not found.bozo, found.get("bozo_exception")
    return found


async def test_feedparser_reads_the_feed_and_what_it_leads_to(built: Centre) -> None:
    warning_id = await built.release(flood(infos=(replace(ZH, web="https://qinghe.example/1"), EN)))
    cancelled = await built.release(flood("flood-2"))
    await built.release(after("flood-3", "Cancel", "flood-2", infos=()))
    found = read(await get(built, "/feed/cap.atom"))
    assert (found.version, found.feed.title, found.feed.language) == ("atom10", "预警信息 · 青河县预警中心", "zh-CN")
    assert [each.href for each in found.feed.links] == [f"{PUBLIC_URL}/feed/cap.atom", f"{PUBLIC_URL}/"]
    entry = next(each for each in found.entries if each.id == f"{PUBLIC_URL}/w/{warning_id}")
    assert (entry.title, entry.author, entry.link) == (ZH.headline, "青河县气象台", f"{PUBLIC_URL}/w/{warning_id}")
    # CAP inside must not be taken for the entry's own: <description>, <web> and <event> have namesakes in other formats.
    assert entry.summary.startswith("洪水红色预警\n请立即转移到高处。")
    assert entry.tags[0].term == "red"
    (enclosure,) = entry.enclosures
    document = await get(built, enclosure.href.removeprefix(PUBLIC_URL))
    assert int(enclosure.length) == len(document.content)
    assert enclosure.type == document.headers["content-type"] == "application/cap+xml"
    assert all(cancelled not in each.id for each in found.entries)
    assert len(found.entries) == 2


async def test_capparselib_reads_every_alert_in_the_feed_and_behind_its_links(built: Centre) -> None:
    ring = ((30.0, 110.0), (30.0, 110.5), (30.5, 110.5), (30.0, 110.0))
    parts = cap.Info(
        **{field: getattr(ZH, field) for field in ("category", "event", "urgency", "severity", "certainty", "expires")},
        language="zh-CN",
        headline="以图形发布",
        description="上游水库正在泄洪。",
        sender_name="青河县气象台",
        onset=ZH.onset,
        instruction="请立即转移到高处。",
        parameters=(("warnd:level", "orange"),),
        event_codes=(("SAME", "FFW"),),
        areas=(cap.Area(description="第1乡", polygons=(ring,), geocodes=ZH.areas[0].geocodes),),
        resources=(cap.Resource(description="map", mime_type="image/png", uri="https://qinghe.example/map.png"),),
    )
    await built.release(flood("one"))
    await built.release(flood("two", infos=(parts,)))
    await built.release(after("three", "Cancel", "one", infos=()))
    feed = await get(built, "/feed/cap.atom")
    alerts = {str(each["cap_id"]): each for each in CAPParser(feed.text).as_dict()}
    assert set(alerts) == {"two", "three"}
    info = alerts["two"]["cap_info"][0]
    assert (str(info["cap_headline"]), str(info["cap_area"][0]["area_description"])) == ("以图形发布", "第1乡")
    assert str(info["cap_area"][0]["polygons"][0]).startswith("30,110 ")
    assert str(alerts["three"]["cap_message_type"]) == "Cancel"
    for entry in read(feed).entries:
        behind = await get(built, entry.enclosures[0].href.removeprefix(PUBLIC_URL))
        (alert,) = CAPParser(behind.text).as_dict()
        assert str(alert["cap_id"]) in alerts


async def test_the_feed_speaks_the_language_asked_for_under_the_same_ids(built: Centre) -> None:
    await built.release(flood())
    zh, en = read(await get(built, "/feed/cap.atom")), read(await get(built, "/feed/cap.atom?lang=en"))
    plain = read(await get(built, "/feed/cap.atom", **{"Accept-Language": "en"}))
    assert plain.entries[0].title == zh.entries[0].title == ZH.headline  # A reader that asks for none gets the node's.
    assert (en.feed.language, en.entries[0].title) == ("en", "Red flood warning for Qinghe")
    assert en.entries[0].id == zh.entries[0].id
    assert en.feed.links[0].href == f"{PUBLIC_URL}/feed/cap.atom?lang=en"


async def test_a_place_has_a_feed_of_its_own(built: Centre) -> None:
    area = replace(ZH.areas[0], geocodes=(("region_code", VILLAGE),))
    warning_id = await built.release(flood(infos=(replace(ZH, areas=(area,)),)))
    here, elsewhere = [read(await get(built, f"/feed/{code}.atom")) for code in (VILLAGE, OTHER_VILLAGE)]
    assert (here.feed.title, here.feed.id) == ("预警信息 · 1-2村", f"{PUBLIC_URL}/feed/{VILLAGE}.atom")
    assert [each.id for each in here.entries] == [f"{PUBLIC_URL}/w/{warning_id}"]
    assert elsewhere.entries == []
    assert (await get(built, f"/feed/{warning_id}.xml")).status_code == 200


async def test_updated_rises_with_each_change_and_stays_without_one(built: Centre) -> None:
    seen = []
    for step in range(3):
        seen.append(read(await get(built, "/feed/cap.atom")).feed.updated)
        assert read(await get(built, "/feed/cap.atom")).feed.updated == seen[-1]
        await built.release(flood(f"flood-{step}"))
        built.clock.advance(1)
    built.clock.advance(6 * 3600)
    seen.append(read(await get(built, "/feed/cap.atom")).feed.updated)
    assert seen == sorted(set(seen))


async def test_a_feed_of_very_many_long_warnings_stays_bounded_and_links_to_what_it_leaves_out(built: Centre) -> None:
    long = replace(ZH, description="水" * 40_000)
    for number in range(3):
        await built.release(flood(f"flood-{number}", infos=(long,)))
    await built.release(flood("short"))
    feed = await get(built, "/feed/cap.atom")
    entries = etree.fromstring(feed.content).findall("a:entry", ATOM)
    contents = [each.find("a:content", ATOM) for each in entries]
    assert [each is not None and len(each) for each in contents] == [1, 0, 0, 0]
    assert contents[1] is not None
    assert (await get(built, str(contents[1].get("src")).removeprefix(PUBLIC_URL))).status_code == 200
    assert len(feed.content) < 64 * 1024
    read(feed)


async def test_json_tells_everything_of_every_language(built: Centre) -> None:
    ring = ((30.0, 110.0), (30.0, 110.5), (30.5, 110.5), (30.0, 110.0))
    area = replace(ZH.areas[0], polygons=(ring,), circles=(cap.Circle(30.2, 110.2, 5.0),))
    warning_id = await built.release(flood(infos=(replace(ZH, areas=(area,)), EN)))
    found = (await get(built, "/feed/warnings.json")).json()
    (warning,) = found["warnings"]
    assert (found["place"], found["cancels"], warning["id"], warning["level"]) == (None, [], warning_id, "red")
    assert (warning["sent"], warning["expires"]) == ("2026-07-03T07:30:00Z", "2026-07-03T13:30:00Z")
    assert [each["lang"] for each in warning["texts"]] == warning["languages"] == ["zh", "en"]
    assert warning["texts"][1]["instruction"] == "Go to high ground now."
    first = warning["areas"][0]
    assert first["geocodes"] == [{"scheme": "region_code", "value": "990101001000"}]
    assert first["polygons"] == [[[lon, lat] for lat, lon in ring]]
    assert first["circles"] == [{"point": [110.2, 30.2], "radius_km": 5.0}]
    assert warning["areas_complete"] is True
    assert warning["links"]["cap"] == f"{PUBLIC_URL}/feed/{warning_id}.xml"
    here = (await get(built, f"/p/{VILLAGE}.json")).json()
    assert (here["place"]["name"], here["place"]["lies_in"]) == ("1-2村", ["990101000000", "990101001000"])
    assert [each["id"] for each in here["warnings"]] == [warning_id]
    assert (await get(built, f"/feed/warnings.json?place={VILLAGE}")).json() == here
    assert (await get(built, f"/p/{OTHER_VILLAGE}.json")).json()["warnings"] == []


async def test_json_leaves_long_shapes_to_the_document_and_says_so(built: Centre) -> None:
    ring = tuple((30 + n / 10_000, 110.0) for n in range(6_000))
    area = replace(ZH.areas[0], polygons=((*ring, (30.0, 111.0), (30.0, 110.0)),))
    await built.release(flood(infos=(replace(ZH, areas=(area,)),)))
    answered = await get(built, "/feed/warnings.json")
    (warning,) = answered.json()["warnings"]
    assert (warning["areas_complete"], warning["areas"][0]["polygons"]) == (False, [])
    assert warning["areas"][0]["name"] == "第1乡"
    assert len(answered.content) < 8_000


async def test_any_site_may_read_what_is_public_and_nothing_else(built: Centre) -> None:
    warning_id = await built.release(flood())
    opened = (
        "/feed/cap.atom",
        "/feed/warnings.json",
        f"/feed/{warning_id}.xml",
        f"/feed/{VILLAGE}.atom",
        f"/p/{VILLAGE}.json",
    )
    async with built.visitor(Origin="https://other.example") as client:
        for path in opened:
            answered = await client.get(path)
            assert answered.headers["access-control-allow-origin"] == "*", path
            assert "access-control-allow-credentials" not in answered.headers
            asked = await client.options(path, headers={"Access-Control-Request-Method": "GET"})
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
            assert "POST" not in asked.headers["access-control-allow-methods"]
            assert "If-None-Match" in asked.headers["access-control-allow-headers"]
        for path in ("/api/v1/warnings", "/api/openapi.json", "/healthz", "/metrics", "/", f"/w/{warning_id}"):
            assert "access-control-allow-origin" not in (await client.get(path)).headers, path
            assert "access-control-allow-origin" not in (await client.options(path)).headers, path


async def test_what_is_unchanged_is_not_sent_again_pressed_or_not(built: Centre) -> None:
    warning_id = await built.release(flood())
    paths = (
        "/",
        "/feed/cap.atom",
        "/feed/warnings.json",
        f"/p/{VILLAGE}",
        f"/p/{VILLAGE}.json",
        f"/feed/{VILLAGE}.atom",
    )
    async with built.visitor() as client:
        tags = {}
        for path in (*paths, f"/feed/{warning_id}.xml"):
            plain = await client.get(path, headers={"Accept-Encoding": "identity"})
            pressed = await client.get(path, headers={"Accept-Encoding": "gzip;q=1.0, br"})
            refused = await client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
            assert plain.content == pressed.content == refused.content
            assert pressed.headers["content-encoding"] == "gzip"
            assert "content-encoding" not in plain.headers
            assert "content-encoding" not in refused.headers
            assert plain.headers["etag"] != pressed.headers["etag"]
            assert "Accept-Encoding" in plain.headers["vary"]
            for answered, accepts in ((plain, "identity"), (pressed, "gzip")):
                known = {"If-None-Match": answered.headers["etag"], "Accept-Encoding": accepts}
                again = await client.get(path, headers=known)
                assert (again.status_code, again.content) == (304, b""), path
            tags[path] = plain.headers["etag"]
        await built.release(flood("flood-2"))
        for path in paths:
            known = {"If-None-Match": tags[path], "Accept-Encoding": "identity"}
            assert (await client.get(path, headers=known)).status_code == 200, path


async def test_a_date_of_change_is_told_but_never_trusted(built: Centre) -> None:
    """Two changes within one second have one Last-Modified: who is answered 304 by it never hears of the second."""
    await built.release(flood())
    first = await get(built, "/feed/cap.atom")
    since = first.headers["last-modified"]
    assert datetime.strptime(since, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC) <= built.clock.now()
    assert (await get(built, "/feed/cap.atom", **{"If-Modified-Since": since})).status_code == 200


def test_a_shelf_keeps_what_is_asked_for_and_never_grows_past_its_bounds() -> None:
    shelf = Shelf()
    for number in range(2_000):
        shelf.put(number, Body(b"x" * 1_000, "text/plain"))
        assert shelf.get(0) is not None
    assert shelf.get(1) is None
    assert shelf.get(1_999) is not None
    shelf.put("large", Body(b"x" * 40 * 1024 * 1024, "text/plain"))
    assert shelf.get(0) is None
    pressed = Body("水".encode() * 1_000, "text/plain")
    assert gzip.decompress(pressed.pressed()) == pressed.content
    assert json.loads(pressed.tag(pressed=True)) != json.loads(pressed.tag(pressed=False))
