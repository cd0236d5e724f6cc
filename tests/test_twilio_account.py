"""Whether the account can be used: seen without sending anything, said with what to do."""

import asyncio

import pytest

from tests.fakes.twilio_stage import on_stage
from tests.waiting import until
from warnd.channel import Accepted, Failed


async def test_a_look_tells_that_the_account_works_before_anything_runs() -> None:
    async with on_stage(start=False) as stage:
        account, callbacks = await stage.gateway.probe()
        assert (account.about, account.wrong, account.told) == ("twilio account", None, "account Qinghe is active")
        assert callbacks.wrong is None
        assert stage.twilio.asked == {"GET AC0123456789abcdef0123456789abcdef.json": 1}


async def test_a_look_shares_the_connections_of_a_running_gateway() -> None:
    async with on_stage() as stage:
        assert [found.wrong for found in await stage.gateway.probe()] == [None, None]
        assert isinstance(await stage.send_one(), Accepted)


async def test_a_gateway_that_starts_during_a_look_keeps_its_connections_after_it() -> None:
    async with on_stage(start=False) as stage, asyncio.TaskGroup() as group:
        stage.twilio.always = "hang"
        looking = group.create_task(stage.gateway.probe())
        await until(lambda: stage.twilio.asked)
        running = group.create_task(stage.gateway.run(stage.ledger))
        await until(lambda: sum(stage.twilio.asked.values()) == 2)
        stage.twilio.always = None
        stage.twilio.release()
        await until(looking.done)
        await until(lambda: stage.gateway.problem() is None)
        assert isinstance(await stage.send_one(), Accepted)
        running.cancel()


@pytest.mark.parametrize("word", ["suspended", "closed"])
async def test_an_account_that_is_not_active_is_named_with_what_to_do(word: str) -> None:
    async with on_stage(start=False) as stage:
        stage.twilio.status = word
        account, _ = await stage.gateway.probe()
        assert account.wrong == f"The account is {word}. Ask Twilio why, and have it activated."


async def test_a_wrong_token_is_named_with_what_to_do() -> None:
    async with on_stage(start=False) as stage:
        stage.twilio.always = "refuse"
        account, _ = await stage.gateway.probe()
        assert account.wrong == (
            "It refuses the account (20003 wrong account SID or token). "
            "Correct sms.twilio.account_sid and the token in sms.twilio.auth_token_file."
        )


async def test_an_unreachable_twilio_is_named_with_what_to_do() -> None:
    async with on_stage(start=False) as stage:
        await stage.site.close()
        account, _ = await stage.gateway.probe()
        assert account.wrong is not None
        assert account.wrong.startswith("It cannot be reached (no connection: ")
        assert account.wrong.endswith("Check the network, its name service and sms.twilio.base_url.")


async def test_one_lost_look_stops_no_warning_two_do_and_it_comes_back_by_itself() -> None:
    async with on_stage() as stage:
        await stage.site.close()
        await stage.clock.advance(15)
        assert stage.gateway.problem() is None
        await stage.clock.advance(2)
        await until(lambda: stage.gateway.problem() is not None)
        assert str(stage.gateway.problem()).startswith("No SMS can leave by Twilio: it cannot be reached (")
        await stage.site.open()
        await stage.clock.advance(2)
        await until(lambda: stage.gateway.problem() is None)


async def test_a_text_that_finds_nobody_makes_the_gateway_look_without_waiting_for_its_turn() -> None:
    async with on_stage() as stage:
        await stage.site.close()
        assert isinstance(await stage.send_one(), Failed)
        await stage.clock.advance(2)
        await until(lambda: stage.gateway.problem() is not None)


async def test_an_account_that_is_locked_out_stops_all_texts_at_once_until_it_is_mended() -> None:
    async with on_stage() as stage:
        stage.twilio.status = "suspended"
        stage.twilio.faults.append(30002)
        assert isinstance(await stage.send_one(), Failed)
        assert "account suspended" in str(stage.gateway.problem())
        await until(lambda: "the account is suspended" in str(stage.gateway.problem()))
        stage.twilio.status = "active"
        await stage.clock.advance(2)
        await until(lambda: stage.gateway.problem() is None)


async def test_a_refused_sender_stops_no_other_text() -> None:
    async with on_stage() as stage:
        stage.twilio.faults.append(21606)
        assert isinstance(await stage.send_one(), Failed)
        assert stage.gateway.problem() is None


async def test_a_gateway_that_has_stopped_says_so() -> None:
    async with on_stage() as stage:
        gateway = stage.gateway
        assert gateway.problem() is None
    assert gateway.problem() is not None


@pytest.mark.parametrize("status", [404, 405, 429, 501])
async def test_whoever_takes_texts_but_shows_no_account_gets_texts(status: int) -> None:
    """A relay may carry nothing but messages; whether it takes them only a text can tell."""
    async with on_stage(start=False) as stage, asyncio.TaskGroup() as group:
        stage.twilio.account_status = status
        account, _ = await stage.gateway.probe()
        assert account.wrong is not None
        running = group.create_task(stage.gateway.run(stage.ledger))
        await until(lambda: stage.gateway.problem() is None)
        assert isinstance(await stage.send_one(), Accepted)
        running.cancel()


async def test_a_state_that_nobody_published_stops_no_text() -> None:
    async with on_stage() as stage:
        stage.twilio.status = "queued"
        looks = sum(stage.twilio.asked.values())
        await stage.clock.advance(15)
        await until(lambda: sum(stage.twilio.asked.values()) > looks)
        assert isinstance(await stage.send_one(), Accepted)
        assert stage.gateway.problem() is None


async def test_an_account_that_texts_and_looks_do_not_find_stops_all_texts() -> None:
    async with on_stage() as stage:
        stage.twilio.account_status = 404
        stage.twilio.faults.append(20404)
        assert isinstance(await stage.send_one(), Failed)
        looks = sum(stage.twilio.asked.values())
        await until(lambda: sum(stage.twilio.asked.values()) > looks)
        await stage.clock.advance(2)
        await until(lambda: sum(stage.twilio.asked.values()) > looks + 1)
        assert "it refuses the account (20404" in str(stage.gateway.problem())
