"""Live streams of the public site: each change once, in order, from where the listener stopped; bounded whatever listeners do."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.clock import HandClock
from tests.fakes.web_centre import ZH, after, flood
from tests.fakes.web_streams import Events, Served, at_port
from tests.waiting import until
from warnd.bell import Bell
from warnd.model import cap
from warnd.web.news import Listener, sign_of_life
from warnd.web.places import Places
from warnd.web.site import Site
from warnd.web.sse import Streams, address_of

VILLAGE, OTHER_VILLAGE = "990101001002", "990101002001"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with at_port(tmp_path) as made:
        yield made


def areas(code: str) -> tuple[cap.Info, ...]:
    return (replace(ZH, areas=(replace(ZH.areas[0], geocodes=(("region_code", code),)),)),)


async def site_event(events: Events) -> tuple[str, dict[str, Any]]:
    found = await events.named("site")
    return found["id"], json.loads(found["data"])


async def test_who_comes_back_is_told_what_was_missed_once_and_in_order(served: Served) -> None:
    async with served.stream("/events") as events:
        last, whole = await site_event(events)
        assert (whole["full"], whole["warnings"]) == (True, [])
    async with served.stream("/events") as witness:  # Whose looking is what notices the changes meanwhile.
        await site_event(witness)
        first = await served.built.release(flood("one"))
        await site_event(witness)
        second = await served.built.release(flood("two"))
        await site_event(witness)
        cancel = await served.built.release(after("three", "Cancel", "one", infos=()))
        await site_event(witness)
    async with served.stream("/events", **{"Last-Event-ID": last}) as events:
        told = [await site_event(events) for _ in range(3)]
        assert [each["full"] for _, each in told] == [False] * 3
        assert [each["new"] for _, each in told] == [
            [{"id": first, "level": "red", "kind": "warning"}],
            [{"id": second, "level": "red", "kind": "warning"}],
            [{"id": cancel, "level": None, "kind": "cancel"}],
        ]
        assert [each["gone"] for _, each in told] == [[], [], [{"id": first, "why": "cancelled"}]]
        assert told[-1][1]["warnings"] == [second]
        last = told[-1][0]
        fourth = await served.built.release(flood("four"))
        assert (await site_event(events))[1]["new"][0]["id"] == fourth
    async with served.stream("/events", **{"Last-Event-ID": last}) as events:
        assert [each["id"] for each in (await site_event(events))[1]["new"]] == [fourth]


async def test_who_was_told_everything_is_told_nothing_again(served: Served) -> None:
    await served.built.release(flood())
    async with served.stream("/events") as events:
        last, _ = await site_event(events)
    async with served.stream("/events", **{"Last-Event-ID": last}) as events:
        newer = await served.built.release(flood("two"))
        _, told = await site_event(events)
        assert (told["full"], [each["id"] for each in told["new"]]) == (False, [newer])


async def test_who_names_another_start_or_nonsense_gets_the_whole_picture(served: Served) -> None:
    warning_id = await served.built.release(flood())
    for last in ("1", "abc-1", "-", f"{'9' * 400}", "7fffffff-3", "x-x", ""):
        async with served.stream("/events", **{"Last-Event-ID": last}) as events:
            _, told = await site_event(events)
            assert (told["full"], told["warnings"]) == (True, [warning_id]), last
    async with served.stream("/events") as events:
        run = (await site_event(events))[0].partition("-")[0]
    async with served.stream("/events", **{"Last-Event-ID": f"{run}-999"}) as events:
        assert (await site_event(events))[1]["full"] is True


async def test_who_was_away_for_too_many_changes_gets_the_whole_picture(served: Served) -> None:
    built = served.built
    site = Site(ledger=built.ledger, clock=built.clock, bell=built.daemon.bell)
    places = Places(ledger=built.ledger, clock=built.clock, jurisdiction=())
    first = await site.picture()
    for number in range(3):
        newest = await built.release(flood(f"flood-{number}"))
        await site.picture()
    known = [each.number for each in site.since(first.number) or ()]
    assert known == [first.number + 1, first.number + 2, first.number + 3]
    site._changes.popleft()  # As when there were more changes than are kept.
    assert site.since(first.number) is None
    told = (await Listener(site, places, None, told=first.number).look()).decode()
    assert told.count("event: site") == 1
    assert '"full": true' in told
    assert newest in told


async def test_a_place_is_told_of_what_touches_it_and_of_nothing_else(served: Served) -> None:
    async with served.stream(f"/events?place={VILLAGE}") as events:
        last, whole = await site_event(events)
        assert whole["full"] is True
        await served.built.release(flood("elsewhere", infos=areas(OTHER_VILLAGE)))
        here = await served.built.release(flood("here", infos=areas("990101001000")))
        _, told = await site_event(events)
        assert (told["warnings"], [each["id"] for each in told["new"]]) == ([here], [here])
        await served.built.release(after("elsewhere-2", "Cancel", "elsewhere", infos=()))
        cancel = await served.built.release(after("here-2", "Cancel", "here", infos=()))
        _, told = await site_event(events)
        assert told["gone"] == [{"id": here, "why": "cancelled"}]
        assert [each["id"] for each in told["new"]] == [cancel]
    async with served.stream(f"/events?place={VILLAGE}", **{"Last-Event-ID": last}) as events:
        told_again = [await site_event(events) for _ in range(2)]
        assert [each["warnings"] for _, each in told_again] == [[here], []]


async def test_a_stream_is_open_to_pages_of_any_site_and_no_proxy_keeps_it_back(served: Served) -> None:
    async with served.stream("/events", Origin="https://other.example") as events:
        headers = events.answered.headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-type"].startswith("text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


async def test_one_address_cannot_take_all_streams(served: Served) -> None:
    streams = served.doors.site_streams
    streams._most_each = 3
    async with asyncio.TaskGroup() as group, httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
        over = asyncio.Event()

        async def listen() -> None:
            async with served.stream("/events") as events:
                await events.next()
                await over.wait()

        for _ in range(3):
            group.create_task(listen())
        await until(lambda: streams.count == 3)
        refused = await client.get("/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert not streams.is_full_for("192.0.2.9")
        assert (await client.get("/")).status_code == 200
        over.set()
    await until(lambda: streams.count == 0)
    assert not streams.by_address


def test_whoever_has_a_network_of_addresses_is_one_visitor() -> None:
    def of(address: str) -> str:
        return address_of({"client": (address, 4711)})

    assert of("2001:db8:1:2::1") == of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert of("2001:db8:1:3::1") != of("2001:db8:1:2::1")
    assert of("::ffff:192.0.2.1") != of("::ffff:192.0.2.2")
    assert (of("192.0.2.1"), of("testclient"), address_of({})) == ("192.0.2.1", "testclient", "")


async def test_a_script_sees_that_the_stream_lives_and_what_time_it_is() -> None:
    clock = HandClock()
    streams = Streams(most=1, bell=Bell(), clock=clock, heartbeat_s=0.001, heartbeat=sign_of_life(clock))

    async def look() -> bytes:
        return b""

    heard = streams.follow(look)
    assert await anext(heard) == b"retry: 3000\n\n"
    assert await anext(heard) == b': still here\nevent: alive\ndata: {"at": "2026-07-03T07:30:00.000Z"}\n\n'
