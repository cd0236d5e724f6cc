"""What every channel keeps to, whatever is at its far end. `channels.CHANNELS` says which channels these are."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from channels import CHANNELS, STRONGEST
from channels.sms import GATEWAYS
from tests.contract.conftest import Stage
from tests.contract.harness import Fault, variants
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Context, Failed, Outcome, Sendered, Unknown
from warnd.clock import SystemClock
from warnd.settings import load

ANSWERED_WITHIN_S = 10.0  # The fakes' settings have time-outs of a second or two.

_DRILLS_NOT_YET = Failed("broker unreachable: not connected yet")


def _needs(stage: Stage, fault: Fault) -> None:
    if fault not in stage.side.faults:
        pytest.skip(f"the other side of {stage.name} cannot {fault}")


async def _faulty(stage: Stage, fault: Fault) -> None:
    _needs(stage, fault)
    await {"refuse": stage.side.refuse, "hang": stage.side.hang, "die": stage.side.die}[fault]()


async def _answer(stage: Stage, name: str) -> Outcome:
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        return await stage.send_one(stage.outgoing(name))


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_a_channel_whose_section_is_missing_is_off(name: str, tmp_path: Path, bare_context: Context) -> None:
    settings = tmp_path / "warnd.toml"
    settings.write_text("[web]\nsite = false\n")
    assert CHANNELS[name](load(settings, {}), bare_context) is None


def test_every_gateway_is_held_to_the_contract() -> None:
    assert {f"sms_{gateway}" for gateway in GATEWAYS} <= {variant.fake for variant in variants()}


async def test_a_channel_says_who_it_is_and_what_it_can_prove(stage: Stage) -> None:
    assert stage.channel.name == stage.name
    assert stage.channel.strongest == STRONGEST[stage.name], (
        "plans are checked against this before any channel is built"
    )
    assert list(stage.channel.routes()) == list(stage.channel.routes())


async def test_a_channel_with_senders_carries_a_try_by_the_one_that_was_chosen(stage: Stage) -> None:
    if not isinstance(stage.channel, Sendered):
        pytest.skip(f"{stage.name} has but one sender")
    senders = stage.channel.senders()
    assert senders == stage.channel.senders()
    assert len({one.name for one in senders}) == len(senders)
    assert any(one.weight for one in senders)
    async with stage.running():
        able = [one.name for one in senders if stage.channel.trouble(one.name) is None]
        outcomes = await stage.send([replace(stage.outgoing("chosen"), sender=able[-1])])
        assert isinstance(outcomes[0], Accepted)
        assert isinstance(await stage.channel.find_at("of another age", "a-1"), Unknown)


async def test_an_empty_batch_has_no_outcomes(stage: Stage) -> None:
    async with stage.running():
        assert await stage.send([]) == {}


async def test_each_try_is_answered_once_and_what_is_accepted_has_arrived(stage: Stage) -> None:
    names = [f"message-{number}" for number in range(60)]
    async with stage.running():
        outcomes = await stage.send([stage.outgoing(name) for name in names])
        assert {type(outcome) for outcome in outcomes.values()} == {Accepted}
        assert set(await stage.side.heard()) == set(names)


async def test_two_batches_at_once_keep_their_indices_apart(stage: Stage) -> None:
    short, long = [stage.outgoing("a")], [stage.outgoing(f"b{number}") for number in range(20)]
    async with stage.running():
        first, second = await asyncio.gather(stage.send(short), stage.send(long))
    assert (len(first), len(second)) == (1, 20)


async def test_a_caller_that_leaves_early_harms_no_later_batch(stage: Stage) -> None:
    async with stage.running():
        async for _ in stage.channel.send([stage.outgoing(f"left-{number}") for number in range(20)]):
            break
        assert isinstance(await _answer(stage, "later"), Accepted)


async def test_a_try_that_can_no_longer_start_in_time_is_not_started(stage: Stage) -> None:
    async with stage.running():
        late = replace(stage.outgoing("late"), start_by=stage.clock.monotonic() - 1)
        assert await stage.send_one(late) == NOT_STARTED
        assert "late" not in await stage.side.heard()


async def test_a_bad_address_spoils_only_its_own_try(stage: Stage) -> None:
    bad = replace(stage.outgoing("bad"), address="")
    async with stage.running():
        outcomes = await stage.send([stage.outgoing("before"), bad, stage.outgoing("after")])
        assert isinstance(outcomes[0], Accepted)
        assert isinstance(outcomes[2], Accepted)
        assert {"before", "after"} <= set(await stage.side.heard())


async def test_a_drill_is_heard_only_where_drills_are_heard(stage: Stage) -> None:
    async with stage.running():
        outcome = await stage.send_one(stage.outgoing("drill", drill=True))
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while outcome == _DRILLS_NOT_YET:  # `problem` speaks of the real thing only.
                outcome = await stage.send_one(stage.outgoing("drill", drill=True))
        if stage.side.drills:
            assert isinstance(outcome, Accepted)
            assert await stage.side.heard(drill=True) == ("drill",)
        else:
            assert isinstance(outcome, Failed)
            assert outcome.retry == "permanent"
        assert await stage.side.heard() == ()


async def test_a_refusal_is_a_failure_with_a_reason(stage: Stage) -> None:
    async with stage.running():
        await _faulty(stage, "refuse")
        outcome = await _answer(stage, "refused")
        assert isinstance(outcome, Failed)
        assert outcome.reason


async def test_a_hanging_other_side_is_answered_within_the_bound(stage: Stage) -> None:
    async with stage.running():
        await _faulty(stage, "hang")
        assert isinstance(await _answer(stage, "hanging"), Unknown | Failed)


async def test_a_dead_other_side_is_a_problem_that_names_itself(stage: Stage) -> None:
    async with stage.running():
        await _faulty(stage, "die")
        await until(lambda: stage.channel.problem() is not None)
        assert isinstance(await _answer(stage, "unreachable"), Failed)


@pytest.mark.parametrize("fault", ["refuse", "hang", "die"])
async def test_a_fault_that_is_over_leaves_nothing_behind(stage: Stage, fault: Fault) -> None:
    """A failed try may be told to a person by other means; if it arrived later, it would come as a stale warning."""
    async with stage.running():
        await _faulty(stage, fault)
        outcome = await _answer(stage, "during")
        assert not isinstance(outcome, Accepted)
        await stage.side.accept()
        await stage.works()
        await _until_accepted(stage)
        if isinstance(outcome, Failed):
            assert "during" not in await stage.side.heard()


async def _until_accepted(stage: Stage) -> None:
    """Send until something is accepted: a channel may learn only from a try that the other side is back."""
    for number in range(100):
        if isinstance(await _answer(stage, f"after-{number}"), Accepted):
            return
        await stage.works()
    raise AssertionError("nothing was accepted any more")


def _receipt_of(stage: Stage, name: str) -> Callable[[], bool]:
    outgoing = stage.outgoing(name)
    return lambda: any(stage.side.is_receipt_for(receipt, outgoing) for receipt in stage.sink.committed)


async def _give_receipt(stage: Stage, name: str) -> None:
    if not stage.side.receipts:
        pytest.skip(f"{stage.name} has no receipts")
    outgoing = stage.outgoing(name)
    assert isinstance(await stage.send_one(outgoing), Accepted)
    await stage.side.give_receipt(outgoing)


async def test_a_receipt_reaches_the_ledger(stage: Stage) -> None:
    async with stage.running():
        await _give_receipt(stage, "answered")
        await until(_receipt_of(stage, "answered"))


async def test_a_receipt_that_the_ledger_could_not_commit_comes_again(stage: Stage) -> None:
    async with stage.running():
        stage.sink.failures = 2
        await _give_receipt(stage, "answered")
        await until(_receipt_of(stage, "answered"))
        assert stage.sink.failures == 0


async def test_a_receipt_that_was_not_committed_before_the_end_comes_after_a_restart(stage: Stage) -> None:
    stage.sink.failures = 1_000_000
    async with stage.running():
        await _give_receipt(stage, "answered")
        await until(lambda: stage.sink.failures < 1_000_000)
    stage.sink.failures = 0
    async with stage.running():
        await until(_receipt_of(stage, "answered"))


async def test_receipts_come_again_after_the_other_side_was_gone(stage: Stage) -> None:
    async with stage.running():
        await _faulty(stage, "die")
        await until(lambda: stage.channel.problem() is not None)
        await stage.side.accept()
        await stage.works()
        await _give_receipt(stage, "answered")
        await until(_receipt_of(stage, "answered"))


async def test_a_channel_ends_at_once_when_it_is_cancelled(stage: Stage) -> None:
    async with asyncio.timeout(5 + 30):
        async with stage.running():
            before = SystemClock().monotonic()
    assert SystemClock().monotonic() - before < 5
