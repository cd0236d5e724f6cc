"""The shipped rights of the broker, tried against a real one: each party reaches its own topics and nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.fakes.broker import Broker, needs_mosquitto, running_broker

pytestmark = needs_mosquitto

USERS = {"warnd": "one", "T-0001": "two", "T-0002": "three"}
DRILL_USERS = {name: f"drill-{password}" for name, password in USERS.items()}
FENCE = b"fence"  # Published last on an allowed topic: when it arrives, everything before it was delivered or withheld.


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker"), users=USERS, drill_users=DRILL_USERS) as broker:
        yield broker


def client(broker: Broker, user: str, *, drill: bool) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.drill_port if drill else broker.port,
        username=user,
        password=(DRILL_USERS if drill else USERS)[user],
        protocol=aiomqtt.ProtocolVersion.V5,
    )


async def topics_until_fence(listener: aiomqtt.Client) -> set[str]:
    """Return the topics that reached `listener` before the fence."""
    heard = set()
    async for message in listener.messages:
        if message.payload == FENCE:
            break
        heard.add(str(message.topic))
    return heard


def every_topic(root: str) -> list[str]:
    return [
        f"{root}/region/510000000000/command/flood-1",
        f"{root}/region/510181102007/command/flood-1",
        f"{root}/region/510181102007/other",
        *(
            f"{root}/terminal/{name}/{kind}"
            for name in ("T-0001", "T-0002")
            for kind in ("command", "receipt", "state", "other")
        ),
    ]


@pytest.mark.parametrize("drill", [False, True], ids=["live", "drill"])
async def test_each_party_reaches_its_own_topics_and_nothing_else(broker: Broker, *, drill: bool) -> None:
    root = "warnd-drill/v1" if drill else "warnd/v1"
    tried = [*every_topic("warnd/v1"), *every_topic("warnd-drill/v1"), "elsewhere"]
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        parties = {name: await stack.enter_async_context(client(broker, name, drill=drill)) for name in USERS}
        for party in parties.values():
            await party.subscribe("#", qos=1)
            await party.subscribe("warnd/#", qos=1)
            await party.subscribe("warnd-drill/#", qos=1)

        for topic in tried:
            await parties["T-0001"].publish(topic, "tried", qos=1)
        await parties["T-0001"].publish(f"{root}/terminal/T-0001/state", FENCE, qos=1)
        assert await topics_until_fence(parties["warnd"]) == {
            f"{root}/terminal/T-0001/receipt",
            f"{root}/terminal/T-0001/state",
        }

        for topic in tried:
            await parties["warnd"].publish(topic, "tried", qos=1)
        regions = {f"{root}/region/510000000000/command/flood-1", f"{root}/region/510181102007/command/flood-1"}
        for name in ("T-0001", "T-0002"):
            await parties["warnd"].publish(f"{root}/terminal/{name}/command", FENCE, qos=1)
            assert await topics_until_fence(parties[name]) == {*regions, f"{root}/terminal/{name}/command"}


@pytest.mark.parametrize(
    ("user", "password"), [("T-0001", "wrong"), ("T-0001", DRILL_USERS["T-0001"]), ("nobody", "two"), (None, None)]
)
async def test_who_cannot_log_in_or_has_only_drill_credentials_is_turned_away(
    broker: Broker, user: str | None, password: str | None
) -> None:
    stranger = aiomqtt.Client(
        broker.host, broker.port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5
    )
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authorized"):
        async with asyncio.timeout(10), stranger:
            pass


def sleeper(broker: Broker) -> aiomqtt.Client:
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
    session.SessionExpiryInterval = 3600
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username="T-0001",
        password=USERS["T-0001"],
        identifier="T-0001",
        clean_start=False,
        properties=session,
        protocol=aiomqtt.ProtocolVersion.V5,
    )


async def test_a_sleeping_terminal_gets_its_commands_though_the_broker_was_restarted_twice(tmp_path: Path) -> None:
    """Rights depend on the listener here; they must also hold for sessions that the broker read back from disk."""
    topic = "warnd/v1/terminal/T-0001/command"
    with running_broker(tmp_path, users=USERS) as broker:
        async with asyncio.timeout(30):
            async with sleeper(broker) as terminal:
                await terminal.subscribe(topic, qos=1)
            broker.stop()
            broker.start()
            async with client(broker, "warnd", drill=False) as daemon:
                await daemon.publish(topic, FENCE, qos=1)
            broker.stop()
            broker.start()
            async with sleeper(broker) as terminal:
                assert (await anext(aiter(terminal.messages))).payload == FENCE
