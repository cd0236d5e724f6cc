"""What anybody sees: the public site, its feeds and its stream."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from lxml import etree

from tests.outside.broker import needs_mosquitto
from tests.outside.cap import Cap, alert, cancel_of, update_of
from tests.outside.county import Village
from tests.outside.house import Api, House, until

pytestmark = needs_mosquitto

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def visitor(house: House) -> httpx.Client:
    """Somebody without any token."""
    return house.api(None).http


def page_shows(visitor: httpx.Client, path: str, words: str) -> bool:
    answer = visitor.get(path)
    return answer.status_code == 200 and words in answer.text


def document_of(village: Village, **changes: Any) -> Cap:
    """Return an alert whose headline nobody else has."""
    return alert([village.code], headline=f"红色预警{village.number}号", **changes)


def test_a_release_is_on_every_public_page_within_a_second(api: Api, visitor: httpx.Client, village: Village) -> None:
    document = document_of(village)
    made = api.release(document)
    began = time.monotonic()
    headline = document.infos[0].headline
    assert headline is not None
    for path, words in ((f"/w/{made['id']}", headline), ("/", f"/w/{made['id']}"), ("/feed/cap.atom", headline)):
        until(partial(page_shows, visitor, path, words), f"{words} on {path}")
    assert visitor.get(f"/feed/{made['id']}.xml").status_code == 200
    assert time.monotonic() - began < 1.0


def test_a_page_is_plain_html_with_every_element(api: Api, visitor: httpx.Client, village: Village) -> None:
    document = document_of(village)
    made = api.release(document)
    until(lambda: visitor.get(f"/w/{made['id']}").status_code == 200, "the page")
    answer = visitor.get(f"/w/{made['id']}")
    assert answer.headers["content-type"].startswith("text/html")
    for said in ("清河县防汛办", "洪水", "红色", "柳河镇", "立即转移到高处", str(document.infos[0].headline)):
        assert said in answer.text
    assert "13900" not in answer.text


def test_the_feed_is_atom_and_its_entries_are_cap(api: Api, visitor: httpx.Client, village: Village) -> None:
    document = document_of(village)
    made = api.release(document)
    path = f"/feed/{made['id']}.xml"
    until(lambda: page_shows(visitor, "/feed/cap.atom", path), "the entry")
    feed = visitor.get("/feed/cap.atom")
    assert feed.headers["content-type"].startswith("application/atom+xml")
    root = etree.fromstring(feed.content)
    assert root.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated"):
        assert root.findtext(f"{ATOM}{name}")
    entry = next(
        each
        for each in root.iter(f"{ATOM}entry")
        if any(path in str(link.get("href")) for link in each.iter(f"{ATOM}link"))
    )
    for name in ("id", "title", "updated"):
        assert entry.findtext(f"{ATOM}{name}")
    answer = visitor.get(path)
    assert answer.headers["content-type"].split(";")[0] in {"application/cap+xml", "application/xml"}
    alert_out = etree.fromstring(answer.content)
    assert alert_out.tag == f"{CAP}alert"
    assert alert_out.findtext(f"{CAP}identifier") == document.identifier
    assert alert_out.findtext(f"{CAP}info/{CAP}headline") == document.infos[0].headline
    assert {each.text for each in alert_out.iter(f"{CAP}value")} >= {village.code, "red"}


def test_a_cancelled_warning_keeps_its_page_and_leaves_the_rest(
    api: Api, visitor: httpx.Client, village: Village
) -> None:
    document = document_of(village)
    made = api.release(document)
    until(lambda: page_shows(visitor, "/feed/cap.atom", f"/feed/{made['id']}.xml"), "the entry")
    taken_back = api.release(cancel_of(document, kind="retract"))
    until(lambda: page_shows(visitor, "/feed/cap.atom", f"/feed/{taken_back['id']}.xml"), "the Cancel's entry")
    assert f"/feed/{made['id']}.xml" not in visitor.get("/feed/cap.atom").text
    assert f"/w/{made['id']}" not in visitor.get("/").text
    page = visitor.get(f"/w/{made['id']}")
    assert page.status_code == 200
    assert any(word in page.text for word in ("取消", "解除", "撤回", "误发", "已撤", "cancelled", "Cancelled"))
    assert visitor.get(f"/w/{taken_back['id']}").status_code == 200


def test_an_update_takes_the_place_of_the_first_version(api: Api, visitor: httpx.Client, village: Village) -> None:
    document = document_of(village)
    made = api.release(document)
    until(lambda: page_shows(visitor, "/", f"/w/{made['id']}"), "on the front page")
    second = api.release(update_of(document))
    until(lambda: page_shows(visitor, "/", f"/w/{second['id']}"), "the update on the front page")
    assert f"/w/{made['id']}" not in visitor.get("/").text


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "Restricted", "restriction": "officers only"},
        {"scope": "Private", "addresses": "officers"},
        {"status": "Exercise"},
        {"status": "Test"},
        {"level": None},
    ],
    ids=["restricted", "private", "exercise", "test", "held"],
)
def test_what_is_not_for_everybody_is_nowhere(
    api: Api, house: House, visitor: httpx.Client, village: Village, change: dict[str, Any]
) -> None:
    document = document_of(village, **change)
    answer = api.post(document)
    assert answer.status_code in {201, 202}, answer.text
    if answer.status_code == 201:
        house.text(village.officer_phone, answer.json()["id"])
    stored = answer.json()["id"]
    headline = str(document.infos[0].headline)
    for path in (f"/w/{stored}", f"/feed/{stored}.xml"):
        assert visitor.get(path).status_code == 404
    for path in ("/", "/feed/cap.atom"):
        shown = visitor.get(path)
        assert headline not in shown.text
        assert stored not in shown.text


@contextmanager
def stream(client: httpx.Client, path: str) -> Iterator[Iterator[str]]:
    with client.stream("GET", path, timeout=10.0) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.iter_lines()


def test_the_public_stream_tells_within_a_second(api: Api, house: House, village: Village) -> None:
    with httpx.Client(base_url=house.url, trust_env=False) as visitor, stream(visitor, "/events") as lines:
        made = api.release(document_of(village))
        began = time.monotonic()
        told = next(line for line in lines if line.startswith("data:") and made["id"] in line)
        assert time.monotonic() - began < 1.0
        assert json.loads(told.removeprefix("data:"))


def test_a_warnings_own_stream_says_how_far_it_is(api: Api, house: House, village: Village) -> None:
    made = api.release(document_of(village))
    headers = {"Authorization": f"Bearer {house.token('read')}"}
    with (
        httpx.Client(base_url=house.url, headers=headers, trust_env=False) as reader,
        stream(reader, f"/api/v1/warnings/{made['id']}/events") as lines,
    ):
        assert json.loads(next(line for line in lines if line.startswith("data:")).removeprefix("data:"))


def test_an_expired_warning_leaves_the_front_page_and_the_feed(
    api: Api, visitor: httpx.Client, village: Village
) -> None:
    made = api.release(document_of(village, expires_s=4.0))
    until(lambda: page_shows(visitor, "/", f"/w/{made['id']}"), "on the front page")
    until(lambda: f"/w/{made['id']}" not in visitor.get("/").text, "gone from the front page")
    until(lambda: f"/feed/{made['id']}.xml" not in visitor.get("/feed/cap.atom").text, "gone from the feed")
    until(lambda: api.warning(made["id"])["state"] == "expired", "expired")
    until(lambda: api.delivery(made["id"], village.officer)["state"] == "expired", "its deliveries expired")


@pytest.mark.parametrize(
    "path", ["/w/nothing", "/w/../etc", "/feed/nothing.xml", "/nothing", "/w/%00", "/feed/cap.xml"]
)
def test_what_is_not_there_is_404(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 404


def test_a_script_in_a_headline_is_only_text(api: Api, visitor: httpx.Client, village: Village) -> None:
    made = api.release(alert([village.code], headline='<script>alert("x")</script>'))
    until(lambda: visitor.get(f"/w/{made['id']}").status_code == 200, "the page")
    for path in (f"/w/{made['id']}", "/"):
        assert '<script>alert("x")' not in visitor.get(path).text
