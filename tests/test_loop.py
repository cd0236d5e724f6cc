"""The event loop tells how long its turns hold it, and what held it."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from warnd.daemon.loop import TOO_LONG_S, Turns, measured_loop


def _numbers(main: Coroutine[Any, Any, None]) -> CollectorRegistry:
    turns, registry = Turns(), CollectorRegistry()
    registry.register(turns)
    with asyncio.Runner(loop_factory=lambda: measured_loop(turns)) as runner:
        runner.run(main)
    return registry


def _hold_the_loop() -> None:
    over_at = time.monotonic() + 1.5 * TOO_LONG_S
    while time.monotonic() < over_at:
        pass


async def _held(*, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)
        _hold_the_loop()
        await asyncio.sleep(0)


def test_a_turn_that_is_too_long_is_counted_and_its_length_shown() -> None:
    registry = _numbers(_held(times=2))
    all_turns = registry.get_sample_value("warnd_loop_blocked_seconds_bucket", {"le": "+Inf"})
    short = registry.get_sample_value("warnd_loop_blocked_seconds_bucket", {"le": str(TOO_LONG_S)})
    longest = registry.get_sample_value("warnd_loop_lag_seconds")
    assert all_turns is not None
    assert short is not None
    assert longest is not None
    assert all_turns - short >= 2
    assert longest >= 1.5 * TOO_LONG_S


def test_waiting_holds_nobody() -> None:
    async def wait() -> None:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=4 * TOO_LONG_S)

    registry = _numbers(wait())
    total = registry.get_sample_value("warnd_loop_blocked_seconds_sum")
    assert total is not None
    assert total < 4 * TOO_LONG_S


def test_the_log_says_what_held_the_loop_when_it_happens_again() -> None:
    turns = Turns()

    async def held_until_seen() -> None:
        give_up_at = time.monotonic() + 10
        while turns._watch is None or turns._watch._seen is None:
            assert time.monotonic() < give_up_at
        _hold_the_loop()

    with structlog.testing.capture_logs() as told, asyncio.Runner(loop_factory=lambda: measured_loop(turns)) as runner:
        runner.run(_held(times=1))
        turns._told_at = float("-inf")  # Ten seconds later.
        runner.run(held_until_seen())
        runner.run(_held(times=0))
    assert [one["event"] for one in told] == ["event_loop_held"] * 2
    assert told[0]["doing"] is None
    assert "held_until_seen" in told[1]["doing"]
