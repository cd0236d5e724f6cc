"""The shipped cloud example against a gateway of that kind: calls for many numbers, its faults, and what it pushes."""

import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from channels.sms.gateway import Gateway
from tests.fakes.gateways_over_http import TOKEN, Cloud, Mischief, as_json, cloud_toml, open_box
from tests.fakes.texting import Door, gateway, running, sent, text_to, texts_to
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Reply, Report, Unknown
from warnd.model.evidence import Evidence
from warnd.resources import shipped

PUSH = f"/receipts/sms/{TOKEN}"


@asynccontextmanager
async def at_work(folder: Path, **changes: str) -> AsyncIterator[tuple[Cloud, Gateway, Door]]:
    cloud = Cloud()
    async with open_box(cloud):
        through = gateway(cloud_toml(cloud, folder, **changes), folder)
        async with running(through) as door:
            yield cloud, through, door


async def test_two_thousand_numbers_take_two_calls(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        outcomes = await sent(through, texts_to(2000))
    assert cloud.calls == 2
    assert [len(batch) for batch in cloud.batches] == [1000, 1000]
    assert Counter(outcomes) == {Accepted("http:b1"): 1000, Accepted("http:b2"): 1000}
    assert cloud.taken[0].number == "13800000000"


async def test_only_one_text_goes_into_a_call_and_no_number_twice(tmp_path: Path) -> None:
    batch = [
        text_to("+8613800000001", "a"),
        text_to("+8613800000002", "b"),
        text_to("+8613800000003", "a"),
        text_to("+8613800000001", "a"),
    ]
    async with at_work(tmp_path) as (cloud, through, _):
        assert all(isinstance(outcome, Accepted) for outcome in await sent(through, batch))
    assert Counter((taken.number, taken.text) for taken in cloud.taken) == {
        ("13800000001", "a"): 2,
        ("13800000002", "b"): 1,
        ("13800000003", "a"): 1,
    }
    assert sorted(map(len, cloud.batches)) == [1, 1, 2]


async def test_half_a_call_refused_leaves_the_other_half_accepted(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        cloud.refused = {f"138{number:08}": "107" for number in range(50)}
        outcomes = await sent(through, texts_to(100))
    assert outcomes[:50] == [Failed("107 no", retry="permanent")] * 50
    assert outcomes[50:] == [Accepted("http:b1")] * 50


async def test_one_number_that_spoils_the_whole_call_is_found_and_the_others_are_sent(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        cloud.spoilt_by = "13800000037"
        outcomes = await sent(through, texts_to(100))
    assert outcomes.pop(37) == Failed("107 bad number", retry="permanent")
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert Counter(taken.number for taken in cloud.taken).most_common(1)[0][1] == 1
    assert len(cloud.taken) == 99


FAULTS: dict[Mischief, type[Failed | Unknown]] = {
    "refuse": Failed,
    "throttle": Failed,
    "break": Unknown,
    "garble": Unknown,
    "gbk": Failed,
    "hang": Unknown,
    "reset": Unknown,
}


@pytest.mark.parametrize(("mischief", "outcome"), FAULTS.items())
async def test_a_fault_answers_every_number_of_its_call_and_is_not_repeated(
    tmp_path: Path, mischief: Mischief, outcome: type[Failed | Unknown]
) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        cloud.mischief = mischief
        outcomes = await sent(through, texts_to(20))
        assert cloud.calls == 1
        cloud.release.set()
    assert {type(each) for each in outcomes} == {outcome}
    if mischief == "throttle":
        assert outcomes[0] == Failed("HTTP 429", retry="throttled", retry_after_s=7.0)


async def test_a_gateway_that_is_gone_takes_nothing_and_is_seen_when_it_is_back(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        await cloud.close()
        (outcome,) = await sent(through, texts_to(1))
        assert isinstance(outcome, Failed)
        assert (outcome.reason, outcome.retry) == ("not reached: Connection refused", "transient")
        assert f"127.0.0.1:{cloud.port}" in (through.problem() or "")
        await cloud.open()
        await until(lambda: through.problem() is None)
        assert isinstance((await sent(through, texts_to(1)))[0], Accepted)


async def test_no_call_begins_for_tries_whose_time_is_over(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (cloud, through, _):
        batch = texts_to(3)
        batch[1] = dataclasses.replace(batch[1], start_by=0.0)
        outcomes = await sent(through, batch)
    assert outcomes == [Accepted("http:b1"), NOT_STARTED, Accepted("http:b1")]
    assert len(cloud.taken) == 2


async def test_the_wrong_password_is_ours_to_mend_and_the_probe_says_so(tmp_path: Path) -> None:
    cloud = Cloud()
    async with open_box(cloud):
        settings = cloud_toml(cloud, tmp_path)
        through = gateway(settings, tmp_path)
        assert [(finding.wrong, finding.told) for finding in await through.probe()] == [
            (None, "it can be reached"),
            (None, "it answers 0 81200 parts left"),
        ]
        (tmp_path / "gateway-password").write_text("wrong")
        through = gateway(settings, tmp_path)
        reached, refused = await through.probe()
        assert reached.wrong is None
        assert "code 102" in (refused.wrong or "")
        async with running(through):
            assert await sent(through, texts_to(1)) == [Failed("102 wrong password")]
    (gone,) = await through.probe()
    assert "cannot be reached" in (gone.wrong or "")


async def push(through: Gateway, path: str, told: Any, *, host: str = "203.0.113.9") -> httpx.Response:
    """Push as the gateway does."""
    transport = httpx.ASGITransport(Starlette(routes=list(through.routes())), client=(host, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://warnd.example") as client:
        return await client.post(path, content=told if isinstance(told, bytes) else as_json(told))


REPORT = {"batchId": "b1", "mobile": "13800000001", "status": "DELIVRD", "time": "2026-07-03 15:30:12"}


async def test_a_pushed_report_is_confirmed_in_the_gateways_own_words_after_the_commit(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (_, through, door):
        answer = await push(through, PUSH, [REPORT, {**REPORT, "mobile": "13800000002", "status": "UNDELIV"}])
        assert (answer.status_code, answer.text) == (200, '{"code":0}')
        assert answer.headers["content-type"] == "application/json"
    delivered, failed = door.committed
    assert isinstance(delivered, Report)
    assert isinstance(failed, Report)
    assert (delivered.reference, delivered.address, delivered.evidence) == (
        "http:b1",
        "+8613800000001",
        Evidence.DELIVERED,
    )
    assert delivered.attempt is None
    assert delivered.at is not None
    assert delivered.at.isoformat() == "2026-07-03T07:30:12+00:00"
    assert (failed.failed, failed.evidence, failed.reason) == (True, Evidence.NONE, "UNDELIV UNDELIV")


@pytest.mark.parametrize("status", ["ACCEPTD", "UNKNOWN", "delivrd", "", None])
async def test_any_other_word_proves_nothing_but_is_confirmed(tmp_path: Path, status: str | None) -> None:
    async with at_work(tmp_path) as (_, through, door):
        assert (
            await push(through, PUSH, [{**REPORT, "status": status}, "rubbish", {"status": "DELIVRD"}])
        ).status_code == 200
    assert door.committed == []


async def test_a_pushed_reply_reaches_the_ledger(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (_, through, door):
        told = [{"mobile": "13800000001", "content": "1", "time": "2026-07-03 15:31:40"}]
        assert (await push(through, f"{PUSH}/replies", told)).status_code == 200
    (reply,) = door.committed
    assert isinstance(reply, Reply)
    assert (reply.address, reply.text) == ("+8613800000001", "1")


async def test_what_no_store_can_keep_is_not_handed_to_it(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (_, through, door):
        told = rb'[{"mobile":"13800000001","content":"ok\ud83d\u0000"}]'
        assert (await push(through, f"{PUSH}/replies", told)).status_code == 200
    (reply,) = door.committed
    assert isinstance(reply, Reply)
    assert reply.text == "ok?"


async def test_a_report_that_the_ledger_does_not_commit_is_not_confirmed(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (_, through, door):
        door.shut = True
        answer = await push(through, PUSH, [REPORT])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        door.shut = False
        assert (await push(through, PUSH, [REPORT])).status_code == 200
    assert len(door.committed) == 1


async def test_before_it_runs_and_after_it_has_stopped_pushes_are_told_to_come_again(tmp_path: Path) -> None:
    through = gateway(cloud_toml(Cloud(port=9), tmp_path), tmp_path)
    assert (await push(through, PUSH, [REPORT])).status_code == 503


BAD_PUSHES: dict[str, tuple[Any, int]] = {
    "no json": (b"\x00", 400),
    "another charset": ('[{"batchId":"中文"}]'.encode("gbk"), 400),
    "too long": (b" " * ((1 << 20) + 1), 413),
    "very deep": (b"[" * 100_000, 400),
}


@pytest.mark.parametrize("name", BAD_PUSHES)
async def test_a_push_that_cannot_be_read_is_refused_and_harms_nothing(tmp_path: Path, name: str) -> None:
    told, status = BAD_PUSHES[name]
    async with at_work(tmp_path) as (_, through, door):
        assert (await push(through, PUSH, told)).status_code == status
        assert (await push(through, PUSH, [REPORT])).status_code == 200
    assert len(door.committed) == 1


@pytest.mark.parametrize("token", ["f00d", f"{TOKEN}x", TOKEN.upper(), "%E7%B3%BB"])
async def test_who_does_not_know_the_secret_end_of_the_address_finds_nothing_there(tmp_path: Path, token: str) -> None:
    async with at_work(tmp_path) as (_, through, door):
        assert (await push(through, f"/receipts/sms/{token}", [REPORT])).status_code == 404
    assert door.committed == []


async def test_a_push_from_elsewhere_is_refused_where_the_settings_name_networks(tmp_path: Path) -> None:
    async with at_work(tmp_path, push_token_file='"gateway-push-token"\npush_sources = ["203.0.113.0/24"]\n') as (
        _,
        through,
        door,
    ):
        assert (await push(through, PUSH, [REPORT], host="198.51.100.7")).status_code == 403
        assert (await push(through, PUSH, [REPORT])).status_code == 200
    assert len(door.committed) == 1


async def test_a_text_beyond_gbk_goes_out_in_json_all_the_same(tmp_path: Path) -> None:
    async with at_work(tmp_path, body='"json"\nencoding = "gbk"\n') as (cloud, through, _):
        (outcome,) = await sent(through, [text_to("+8613800000001", "དྲི་ཞིབ")])
    assert isinstance(outcome, Accepted)
    assert cloud.taken[0].text == "དྲི་ཞིབ"


def test_the_example_shows_the_answers_that_it_reads() -> None:
    """The answers in its comments are the ones that its pointers fit."""
    example = (shipped("config") / "gateways" / "cloud.toml").read_text("utf-8")
    shown = [json.loads(line[2:]) for line in example.splitlines() if line.startswith(("# {", "# ["))]
    assert [sorted(one if isinstance(one, dict) else one[0]) for one in shown] == [
        ["batchId", "code", "msg", "refused"],
        ["batchId", "mobile", "status", "time"],
        ["content", "mobile", "time"],
    ]
