"""A look at the broker that alarms nobody and throws nobody out (`warnd check --live`)."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.loudspeaker import TERMINAL
from tests.fakes.mqtt import PASSWORD, USERS, client, retained
from tests.fakes.mqtt_daemon import daemon, drill, live
from tests.fakes.scripted_broker import ScriptedBroker, scripted_broker
from tests.waiting import until
from warnd.channel import Accepted, Finding, Prober
from warnd.model.loudspeaker import LIVE_ROOT


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users=USERS) as running:
        yield running


@needs_mosquitto
async def test_it_works_beside_the_running_daemon_on_both_links_and_nobody_hears_it(broker: Broker) -> None:
    links = live(broker.host, broker.port), drill(broker.host, broker.drill_port)
    async with (
        daemon(links[0], drill=links[1]).running() as centre,
        client(broker.host, broker.port, user=TERMINAL) as ear,
    ):
        await ear.subscribe(f"{LIVE_ROOT}/#", qos=1)
        assert isinstance(centre.channel, Prober)
        found = await centre.channel.probe()
        assert [one.wrong for one in found] == [None, None]
        assert [one.about.rpartition(" ")[2] for one in found] == ["warnd/v1", "warnd-drill/v1"]
        assert centre.channel.problem() is None, "the daemon's own session was left alone"
        assert len(centre.forgotten) == 2, "once for each link, at its start"
        assert [type(one) for one in await centre.send(centre.to_region("1"))] == [Accepted]
        message = await asyncio.wait_for(anext(ear.messages), 10)
        assert str(message.topic).startswith(f"{LIVE_ROOT}/region/1/"), "the first that a terminal hears of all this"
    assert len(await retained(broker.host, broker.port, f"{LIVE_ROOT}/#")) == 1


async def _one(options: object) -> Finding:
    (found,) = await daemon(options).channel.probe()  # type: ignore[arg-type]  # line options, as each test makes them
    return found


@needs_mosquitto
async def test_a_wrong_password_is_named(broker: Broker) -> None:
    found = await _one(replace(live(broker.host, broker.port), password=PASSWORD + "?"))
    assert "Not authorized" in str(found.wrong)
    assert "check the user, the password" in str(found.wrong)
    assert PASSWORD not in str(found)


@needs_mosquitto
async def test_a_user_who_may_not_command_is_named(broker: Broker) -> None:
    found = await _one(replace(live(broker.host, broker.port), username=TERMINAL))
    assert "refuses a command to a terminal: 0x87 not authorized" in str(found.wrong)
    assert "ACL" in str(found.wrong)


async def test_nobody_there_is_named() -> None:
    async with scripted_broker(ScriptedBroker()) as gone:
        options = live(gone.host, gone.port)
    found = await _one(options)
    assert "refused" in str(found.wrong)
    assert f"{gone.host}:{gone.port}" in found.about


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (ScriptedBroker(suback=0x87), "refuses the subscription"),
        (ScriptedBroker(puback=lambda _number: None), "did not answer"),
        (ScriptedBroker(puback=lambda _number: 0x97), "0x97 quota exceeded"),
    ],
)
async def test_what_a_broker_refuses_or_leaves_unanswered_is_named(other: ScriptedBroker, told: str) -> None:
    async with scripted_broker(other):
        found = await _one(replace(live(other.host, other.port), timeout_s=0.3))
    assert told in str(found.wrong)


async def test_a_look_that_is_given_up_ends_without_a_fault() -> None:
    """Periodic work gives a look that takes too long up; the session then settles what nobody waits for."""
    other = ScriptedBroker(puback=lambda _number: None)
    async with scripted_broker(other):
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_one(replace(live(other.host, other.port), timeout_s=30)))
            await until(lambda: other.published)
            looking.cancel()
        assert looking.cancelled()
