"""Publishing by the channel against the bare client library, in the same run on the same broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import aiomqtt
import pytest

from channels.mqtt.fate import Parcel
from channels.mqtt.parcels import Post
from tests.bench.conftest import Table
from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.mqtt import USERS, client
from tests.fakes.mqtt_daemon import Daemon, daemon, live
from warnd.channel import Accepted, Failed, Outgoing

pytestmark = [pytest.mark.bench, needs_mosquitto]

COUNT = 5000
WINDOW = 64
ROUNDS = 5
# Of the bare loop's speed when both sign each command; on a busy machine a fifth either way is noise.
LEAST_RATIO = 0.75


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users=USERS) as running:
        yield running


async def test_sending_keeps_up_with_the_bare_client_in_windows(broker: Broker, table: Table) -> None:
    async with daemon(live(broker.host, broker.port)).running() as sender:
        batch = [sender.to_region(f"T-{number}") for number in range(COUNT)]
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(await _channel(sender, batch))
            bare.append(await _bare(broker, sender, batch))
    ratios = [mine / plain for mine, plain in zip(ours, bare, strict=True)]
    ratio = median(ratios)
    table.add("commands to loudspeakers, the channel alone", ours, aim="", met=None, unit="/s")
    table.add(f"  bare aiomqtt, gather({WINDOW}), signing as well", bare, aim="", met=None, unit="/s")
    table.add("  ratio", ratios, aim="", met=None)
    assert ratio >= LEAST_RATIO


async def _channel(sender: Daemon, batch: list[Outgoing]) -> float:
    began = perf_counter()
    accepted = 0
    async for _, outcome in sender.channel.send(batch):
        accepted += isinstance(outcome, Accepted)
    assert accepted == len(batch)
    return len(batch) / (perf_counter() - began)


async def _bare(broker: Broker, sender: Daemon, batch: list[Outgoing]) -> float:
    """Sign and publish the same commands as a script would: `gather` over a window, the next when all are answered."""
    post = Post(live(broker.host, broker.port), sender.clock.now, sender.context.random)
    async with client(broker.host, broker.port, user="warnd") as bare:
        bare.pending_calls_threshold = WINDOW
        began = perf_counter()
        for start in range(0, len(batch), WINDOW):
            await asyncio.gather(*[_publish(bare, post.parcel(one)) for one in batch[start : start + WINDOW]])
        return len(batch) / (perf_counter() - began)


async def _publish(bare: aiomqtt.Client, parcel: Parcel | Failed) -> None:
    assert isinstance(parcel, Parcel)
    await bare.publish(parcel.topic, parcel.payload, qos=1, retain=parcel.retain)
