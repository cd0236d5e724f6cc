"""What hostile documents and busy days do to the public site: text stays text, pages stay small."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import text

from tests.fakes.rows import RELEASED, Rows
from tests.fakes.web_centre import EN, FLOOD, ZH, Centre, centre
from warnd.ledger import schema
from warnd.model import cap
from warnd.model.level import Level

TOWNSHIP, VILLAGE = "990101001000", "990101001002"
MOST = 20_000  # Bytes of a page without its pictures and scripts.


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Centre]:
    async with centre(tmp_path) as made:
        yield made


def every_page(warning_id: str) -> list[str]:
    return [
        "/",
        f"/w/{warning_id}",
        "/p",
        f"/p/{TOWNSHIP}",
        f"/p/{VILLAGE}",
        f"/display/{VILLAGE}",
        "/p?q=1",
        "/nothing",
    ]


async def put(built: Centre, alerts: list[cap.Alert]) -> None:
    """Put released warnings for one township straight into the ledger: rules would refuse some of them, five hundred would take long."""

    def make(rows: Rows) -> None:
        for number, alert in enumerate(alerts):
            level = Level(number % 4 + 1)
            rows.warning(f"w{number}", alert, level=level, released_at=RELEASED + number)
            message = rows.message(f"w{number}")
            rows.insert(schema.target_root, message_no=message, code=TOWNSHIP, how="geocode", outside=0)
            rows.target(message, VILLAGE)
            rows.target(message, TOWNSHIP, tier="township")

    await built.rows(make)


async def test_no_page_is_large_with_five_hundred_long_warnings_in_force(built: Centre) -> None:
    areas = tuple(replace(ZH.areas[0], description=f"第{n}村民委员会所在地及其周边低洼地带") for n in range(20))
    long = {"description": "水" * 3_000, "instruction": "走" * 3_000, "areas": areas, "contact": "电" * 500}
    infos = tuple(replace(info, event=info.event + "及次生灾害" * 9, **long) for info in (ZH, EN))  # type: ignore[arg-type] # by field
    others = tuple(
        replace(ZH, language=lang)
        for lang in ("bo", "ug", "mn", "kk", "ko", "ii", "za", "es", "fr", "ru", "ar", "vi", "th")
    )
    await put(built, [replace(FLOOD, identifier=f"many-{n}", infos=(*infos, *others)) for n in range(500)])
    async with built.visitor() as client:
        for lang in ("zh", "en", "ug"):
            for path in every_page("w3"):
                address = f"{path}{'&' if '?' in path else '?'}lang={lang}"
                answered = await client.get(address, headers={"Accept-Encoding": "identity"})
                assert len(answered.content) < MOST, (address, len(answered.content))
        for path in (f"/p/{VILLAGE}", f"/p/{TOWNSHIP}"):
            assert "另有 484 条预警" in (await client.get(path)).text
        assert "500 条" in (await client.get(f"/display/{VILLAGE}")).text
        front = (await client.get("/?lang=zh")).text
        assert "另有 476 条预警" in front
        feed = await client.get("/feed/cap.atom")
        assert len(feed.content) < 4 * 1024 * 1024
        assert len(etree.fromstring(feed.content).findall("{http://www.w3.org/2005/Atom}entry")) == 500
        found = await client.get("/feed/warnings.json")
        assert len(found.json()["warnings"]) == 500


class Reader(HTMLParser):
    """Collects what a browser would run, load or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on") or name in {"style", "srcdoc"}}
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "content"}]


ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)>{{7*7}}{%raw%}</title></textarea><!--"


def hostile(info: cap.Info) -> cap.Info:
    """Return an info in which every text that CAP leaves free is an attack."""
    texts = ("event", "headline", "description", "instruction", "sender_name", "contact", "audience")
    area = cap.Area(description=ATTACK, geocodes=(("region_code", TOWNSHIP), (ATTACK, ATTACK)), altitude="1")
    return replace(
        info,
        **dict.fromkeys(texts, ATTACK),  # type: ignore[arg-type] # each of them is a text
        web="javascript:alert(document.domain)",
        areas=(area,),
        parameters=((ATTACK, ATTACK),),
        event_codes=((ATTACK, ATTACK),),
        resources=(cap.Resource(description=ATTACK, mime_type=ATTACK, uri="javascript:alert(1)"),),
    )


async def test_an_attack_in_any_field_of_cap_runs_nothing_anywhere(built: Centre) -> None:
    infos = (
        hostile(ZH),
        hostile(EN),
        replace(hostile(ZH), language="x-evil"),
        replace(hostile(ZH), web="https://x.example/'onclick=alert(1)"),
    )
    alert = replace(
        FLOOD,
        sender=ATTACK,
        identifier=ATTACK,
        source=ATTACK,
        note=ATTACK,
        incidents=ATTACK,
        code=(ATTACK,),
        infos=infos,
    )
    await put(built, [alert, replace(alert, infos=infos[2:]), replace(alert, infos=())])
    async with built.visitor() as client:
        for number in range(3):
            for path in every_page(f"w{number}"):
                for lang in ("zh", "en", "x"):
                    answered = await client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}")
                    reader = Reader()
                    reader.feed(answered.text)
                    if path in {"/", f"/w/w{number}", f"/p/{VILLAGE}", f"/p/{TOWNSHIP}", f"/display/{VILLAGE}"}:
                        assert "&lt;script&gt;" in answered.text, path  # It is shown, as text.
                    assert not reader.tags & {"img", "textarea", "iframe", "object"}, path
                    assert not reader.handlers, path
                    assert not [
                        link for link in reader.links if link.strip().lower().startswith(("javascript:", "data:"))
                    ]
                    scripts = re.findall(r"<script[^>]*>", answered.text)
                    assert all('src="/static/' in each for each in scripts), path
                    assert "49" not in re.sub(r"\d{3,}", "", answered.text.partition("<main")[2]), (
                        path
                    )  # {{7*7}} stays as it is.
                    policy = answered.headers["content-security-policy"]
                    assert policy.startswith("default-src 'self';")
                    assert "unsafe" not in policy
        feed = etree.fromstring((await client.get("/feed/cap.atom")).content)
        titles = [each.text for each in feed.iter("{http://www.w3.org/2005/Atom}title")]
        assert (len(titles), titles.count(ATTACK), None in titles) == (4, 2, False)
        found = await client.get("/feed/warnings.json")
        assert found.headers["content-type"] == "application/json"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "javascript:" not in json.dumps([each["texts"] for each in found.json()["warnings"]])


async def test_one_document_that_can_no_longer_be_read_does_not_take_the_others_with_it(built: Centre) -> None:
    await put(built, [FLOOD, replace(FLOOD, identifier="good")])
    await built.rows(
        lambda rows: rows._conn.execute(text("UPDATE warning SET document = :bad WHERE id = 'w0'"), {"bad": b"<a>"})
    )
    async with built.visitor() as client:
        front = await client.get("/")
        assert (front.status_code, "/w/w1" in front.text, "/w/w0" in front.text) == (200, True, False)
        assert (await client.get("/w/w0")).status_code == 404
        assert (await client.get("/feed/cap.atom")).status_code == 200


async def test_what_xml_cannot_hold_never_breaks_the_feed(built: Centre) -> None:
    await put(built, [replace(FLOOD, infos=(replace(ZH, headline="a\x0b\x00b\ufffe", description="\x1f"),))])
    async with built.visitor() as client:
        feed = etree.fromstring((await client.get("/feed/cap.atom")).content)
        assert feed.findtext("{*}entry/{*}title") == "ab"
        assert (await client.get("/feed/warnings.json")).json()["warnings"][0]["headline"] == "ab"
