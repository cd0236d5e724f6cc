"""Signs of life over the real broker with the shipped rights: whoever may listen hears them, and a forbidden topic is said."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.mqtt import USERS, client
from tests.fakes.mqtt_daemon import daemon, live

pytestmark = needs_mosquitto

ALIVE = "warnd/v1/centre/county/alive"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    acl = "\nuser watcher\ntopic read warnd/v1/centre/+/alive\n"
    with running_broker(tmp_path, users=USERS | {"watcher": USERS["warnd"]}, more_rights=acl) as running:
        yield running


async def test_a_sign_of_life_is_heard_and_kept_for_nobody(broker: Broker) -> None:
    async with (
        daemon(live(broker.host, broker.port)).running() as sender,
        client(broker.host, broker.port, user="watcher") as watcher,
    ):
        await watcher.subscribe(ALIVE, qos=1)
        assert await sender.channel.beat(ALIVE, b'{"v": 1}') is None
        heard = await asyncio.wait_for(anext(watcher.messages), 10)
    assert (heard.payload, heard.retain) == (b'{"v": 1}', False)


async def test_a_topic_that_the_broker_forbids_is_said(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as sender:
        why = await sender.channel.beat("elsewhere", b"{}")
    assert why is not None
    assert why.startswith("0x87")


async def test_a_broker_that_is_away_is_said_at_once(broker: Broker) -> None:
    sender = daemon(live(broker.host, 9))
    assert await sender.channel.beat(ALIVE, b"{}") is not None
