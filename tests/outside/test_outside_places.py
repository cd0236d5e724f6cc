"""What a place's screens and feeds show to somebody who only knows its code: boards, pages, feeds, the stream."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from tests.outside import county
from tests.outside.broker import needs_mosquitto
from tests.outside.cap import alert, cancel_of
from tests.outside.county import Village
from tests.outside.house import Api, House, until

pytestmark = needs_mosquitto

_XSD = Path(__file__).parents[3] / "shared" / "cap-schema"
_ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def visitor(house: House) -> httpx.Client:
    return house.api(None).http


def text_of(visitor: httpx.Client, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return answer.text


def test_a_board_shows_what_is_in_force_where_it_stands(api: Api, visitor: httpx.Client, village: Village) -> None:
    instruction = f"请{village.number}号村立即转移。"
    document = alert([village.code], instruction=instruction)
    api.release(document)
    path = f"/display/{village.code}"
    until(lambda: instruction in text_of(visitor, path), "on the village's board")
    answer = visitor.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    api.release(cancel_of(document, kind="lift"))
    until(lambda: instruction not in text_of(visitor, path), "off the board after the Cancel")


@pytest.mark.parametrize("code", ["7701", "770101", "770101101", "770100000000", county.HARBOUR])
def test_boards_pages_and_feeds_take_codes_as_they_are_written(visitor: httpx.Client, code: str) -> None:
    for path in (f"/display/{code}", f"/p/{code}"):
        answer = visitor.get(path, follow_redirects=True)
        assert answer.status_code == 200, path


@pytest.mark.parametrize("code", ["779999999999", "nowhere", "7799", "%00", "1" * 300])
def test_nobodys_board_is_404(visitor: httpx.Client, code: str) -> None:
    assert visitor.get(f"/display/{code}").status_code == 404


@pytest.mark.parametrize(
    "change", [{"scope": "Restricted", "restriction": "x"}, {"status": "Exercise"}, {"status": "Test"}, {"level": None}]
)
def test_boards_never_show_what_is_not_for_everybody(
    api: Api, visitor: httpx.Client, village: Village, change: dict[str, Any]
) -> None:
    document = alert([village.code], headline=f"暗号{village.number}", instruction=f"暗语{village.number}", **change)
    made = api.post(document).json()
    shown = alert([village.code], instruction=f"明语{village.number}")
    api.release(shown)
    board = f"/display/{village.code}"
    until(lambda: f"明语{village.number}" in text_of(visitor, board), "the open one")
    for path in (board, f"/p/{village.code}", "/feed/cap.atom"):
        page = text_of(visitor, path)
        assert made["id"] not in page
        assert f"暗语{village.number}" not in page
        assert f"暗号{village.number}" not in page


def test_feeds_are_valid_and_can_be_asked_for_changes_alone(api: Api, visitor: httpx.Client, village: Village) -> None:
    made = api.release(alert([village.code], english=True))
    path = f"/feed/{made['id']}.xml"
    until(lambda: visitor.get(path).status_code == 200, "the CAP document")
    document = etree.fromstring(visitor.get(path).content)
    schema = _XSD / "CAP-v1.2.xsd"
    if schema.exists():
        etree.XMLSchema(file=str(schema)).assertValid(document)
    until(lambda: path in text_of(visitor, "/feed/cap.atom"), "the feed's entry")
    feed = visitor.get("/feed/cap.atom")
    assert feed.headers["access-control-allow-origin"] == "*"
    root = etree.fromstring(feed.content)
    assert all(entry.findtext(f"{_ATOM}updated") for entry in root.iter(f"{_ATOM}entry"))
    again = visitor.get("/feed/cap.atom", headers={"If-None-Match": feed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@contextmanager
def events(house: House, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    """Yield the stream's events as they come, each with its fields."""
    with (
        httpx.Client(base_url=house.url, trust_env=False) as visitor,
        visitor.stream("GET", "/events", headers=headers, timeout=10.0) as answer,
    ):
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            found[name] = value.removeprefix(" ")
        elif not line and "data" in found:
            yield found
            found = {}


def test_whoever_comes_back_to_the_stream_misses_nothing(api: Api, house: House, village: Village) -> None:
    first = api.release(alert([village.code]))
    with events(house) as heard:
        api.release(alert([village.code]))
        seen = next(each for each in heard if "id" in each)
    missed = api.release(alert([village.code]))
    with events(house, **{"Last-Event-ID": seen["id"]}) as heard:
        told = next(each for each in heard if missed["id"] in each["data"])
        assert json.loads(told["data"])
    assert first["id"] != missed["id"]


def test_the_api_takes_short_national_codes_too(api: Api, village: Village) -> None:
    made = api.release(alert([village.code]))
    api.until_planned(made["id"])
    for code in ("770101101", county.TOWNSHIP, "77"):
        told = [each["recipient"] for each in api.deliveries(made["id"], region=code)]
        assert village.officer in told, code
    shown = [api.coverage(made["id"], parent=code)["regions"] for code in ("770101101", county.TOWNSHIP)]
    assert shown[0] == shown[1]
    assert village.code in {each["code"] for each in shown[0]}
