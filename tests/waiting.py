"""Waiting for a condition instead of sleeping: a test goes on as soon as it holds, and fails by name if it never does."""

import asyncio
from collections.abc import Callable

_LOOK_AGAIN_S = 0.01


async def until(condition: Callable[[], object], *, timeout_s: float = 15.0) -> None:
    """Return when `condition()` is true; the event loop runs on meanwhile.

    Raises:
        AssertionError: It did not become true in `timeout_s`.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + timeout_s
    while not condition():
        assert loop.time() < give_up_at, f"still not true after {timeout_s:g} s: {condition}"
        waking = loop.create_future()
        timer = loop.call_later(_LOOK_AGAIN_S, waking.set_result, None)
        try:
            await waking
        finally:
            timer.cancel()  # Whoever waits may be cancelled first.
