"""Texts by the gateway against the bare library's own loop, in the same run against the same port of another process."""

import asyncio
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from channels.sms.twilio import Twilio, TwilioOptions
from tests.bench.conftest import Table
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, SENDER
from tests.fakes.twilio_stage import BODY, TO, Ledger, on_stage
from tests.waiting import until
from warnd.channel import Accepted, Outgoing
from warnd.clock import SystemClock

pytestmark = pytest.mark.bench

COUNT = 2000
WINDOW = 50
ROUNDS = 5
LEAST_RATIO = 0.7


@pytest.fixture
def url() -> Iterator[str]:
    script = Path(__file__).with_name("twilio_port.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as port:
        assert port.stdout is not None
        yield f"http://127.0.0.1:{int(port.stdout.readline())}"
        port.kill()


async def test_texts_leave_as_fast_as_by_the_bare_library(url: str, table: Table) -> None:
    async with on_stage(start=False) as stage:
        batch = [stage.outgoing(f"tag-{number}-1") for number in range(COUNT)]
        options = TwilioOptions(ACCOUNT_SID, AUTH_TOKEN, SENDER, url, PUBLIC_URL, timeout_s=30, connections=WINDOW)
        gateway = Twilio(options, replace(stage.context, clock=SystemClock()))
    ours, bare = [], []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run(Ledger()))
        await until(lambda: gateway.problem() is None)
        for _ in range(ROUNDS):
            ours.append(await _gateway(gateway, batch))
            bare.append(await _bare(url))
        task.cancel()
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    ratio = median(ratios)
    table.add("Twilio gateway alone, without a store", ours, aim="", met=None, unit="/s")
    table.add(f"  bare library, gather({WINDOW})", bare, aim="", met=None, unit="/s")
    table.add("  ratio", ratios, aim="", met=None)
    assert ratio >= LEAST_RATIO


async def _gateway(gateway: Twilio, batch: list[Outgoing]) -> float:
    began = perf_counter()
    accepted = 0
    for start in range(0, len(batch), 4 * WINDOW):  # As a lane claims.
        async for _, outcome in gateway.send(batch[start : start + 4 * WINDOW]):
            accepted += isinstance(outcome, Accepted)
    assert accepted == len(batch)
    return len(batch) / (perf_counter() - began)


async def _bare(url: str) -> float:
    """Post the same texts as a script would, by the library's own asynchronous client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Two for each call of the library's own client.
        async with AsyncTwilioHttpClient() as http:
            client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=http, environment={"TWILIO": "bench"})
            client.api.base_url = url
            began = perf_counter()
            for start in range(0, COUNT, WINDOW):
                await asyncio.gather(*[_post(client, number) for number in range(start, start + WINDOW)])
            return COUNT / (perf_counter() - began)


async def _post(client: Client, number: int) -> None:
    message = await client.messages.create_async(
        to=TO,
        from_=SENDER,
        body=BODY,
        status_callback=f"{PUBLIC_URL}/receipts/twilio/status?attempt=tag-{number}-1",
        validity_period=3600,
    )
    assert message.sid
