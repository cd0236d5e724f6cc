"""The shipped village example against a box of that kind: one text in a call, our own id, reports and replies fetched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.sms.gateway import Gateway
from tests.fakes.gateways_over_http import Modem, open_box
from tests.fakes.sms_http import village_toml
from tests.fakes.texting import Door, gateway, running, sent, text_to
from tests.waiting import until
from warnd.channel import Accepted, Degradable, Failed, Reply, Report, Unknown
from warnd.model.evidence import Evidence


@asynccontextmanager
async def at_work(folder: Path, door: Door | None = None) -> AsyncIterator[tuple[Modem, Gateway, Door]]:
    modem = Modem()
    async with open_box(modem):
        (folder / "modem-key").write_text(modem.key)
        through = gateway(village_toml(modem), folder)
        async with running(through, door) as opened:
            yield modem, through, opened


async def test_a_text_goes_out_under_our_own_id(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, through, _):
        assert await sent(through, [text_to("+8613800000001", attempt="x-7-1")]) == [Accepted()]
    assert [(taken.id, taken.number) for taken in modem.taken] == [("x-7-1", "+8613800000001")]


async def test_reports_by_part_and_replies_are_fetched_once_each(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, _, door):
        modem.reports += [
            {"id": "x-7-1", "state": "sent", "part": 1, "parts": 2, "at": 1783063811},
            {"id": "x-7-1", "state": "delivered", "part": 2, "parts": 2, "at": 1783063812},
            {"id": "x-8-1", "state": "expired", "error": "timed out", "at": "yesterday"},
        ]
        modem.inbox.append({"from": "138 0000 0001", "text": "１。", "at": 1783063840})
        await until(lambda: len(door.committed) == 3)
        asked = modem.asked
        await until(lambda: modem.asked > asked + 4)
        reports = [one for one in door.committed if isinstance(one, Report)]
        replies = [one for one in door.committed if isinstance(one, Reply)]
    assert [(one.attempt, one.evidence, one.failed, one.part, one.parts, one.reason) for one in reports] == [
        ("x-7-1", Evidence.DELIVERED, False, 2, 2, None),
        ("x-8-1", Evidence.NONE, True, None, None, "expired timed out"),
    ]
    assert reports[1].at is None
    assert [(one.address, one.text) for one in replies] == [("+8613800000001", "１。")]


async def test_what_no_gateway_means_costs_nothing_but_itself(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, _, door):
        modem.reports += [
            {"id": "x-7-1", "state": "delivered", "part": "0001" + "9" * 30, "parts": "0002" + "9" * 30},
            {"id": "x-8-1", "state": "delivered", "part": "1" * 5000, "parts": 2, "at": 1e300},
            {"id": "y" * 100_000, "state": "delivered"},
        ]
        await until(lambda: len(door.committed) == 3)
    assert [(one.part, one.parts) for one in door.committed if isinstance(one, Report)] == [(None, None)] * 3
    assert max(len(one.attempt or "") for one in door.committed if isinstance(one, Report)) < 5000


async def test_what_was_fetched_is_kept_until_the_ledger_commits_it(tmp_path: Path) -> None:
    door = Door(shut=True)
    async with at_work(tmp_path, door) as (modem, _, _):
        modem.reports.append({"id": "x-7-1", "state": "delivered"})
        await until(lambda: door.refused)
        modem.reports[0] = {"id": "x-7-1", "state": "forgotten by the box"}
        door.shut = False
        await until(lambda: door.committed)
    assert len(door.committed) == 1


async def test_a_box_that_takes_texts_and_hands_nothing_out_is_told_until_it_does(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, through, _):
        assert isinstance(through, Degradable)
        assert through.degraded() is None
        modem.hands_out_nothing = True
        await until(lambda: "replies are not fetched (HTTP 500" in (through.degraded() or ""))
        assert through.problem() is None
        modem.hands_out_nothing = False
        await until(lambda: through.degraded() is None)


@pytest.mark.parametrize("told", ["rubbish", 7, None])
async def test_rubbish_in_a_list_does_not_hold_up_the_rest(tmp_path: Path, told: object) -> None:
    async with at_work(tmp_path) as (modem, _, door):
        modem.reports += [told, {"id": "x-7-1", "state": "delivered"}]  # type: ignore[list-item]  # rubbish, on purpose
        await until(lambda: door.committed)


async def test_the_box_is_asked_what_became_of_an_attempt(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, through, _):
        await sent(through, [text_to("+8613800000001", attempt="x-7-1")])
        assert await through.find("x-7-1") == Accepted()
        assert await through.find("x-8-1") == Failed("the gateway never got it")
        await modem.close()
        assert isinstance(await through.find("x-7-1"), Unknown)


async def test_the_probe_shows_the_modem(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (_, through, _):
        assert (await through.probe())[1].told == "it answers ready registered, signal 21"


async def test_an_empty_card_is_ours_to_mend(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, through, _):
        modem.mischief = "refuse"
        assert await sent(through, [text_to("+8613800000001")]) == [Failed("no_credit the card is empty")]


async def test_a_bad_address_is_no_call(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (modem, through, _):
        outcomes = await sent(through, [text_to("officer@example.org"), text_to("12")])
    assert outcomes == [Failed("this is no phone number", retry="permanent")] * 2
    assert modem.calls == 0
