"""Sending to a real mosquitto with the shipped rights, and to a broker that answers by script."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from channels.mqtt.fate import Answered, Fate, Lost, Parcel
from channels.mqtt.session import connected
from tests.fakes.broker import Broker, needs_mosquitto, running_broker
from tests.fakes.loudspeaker import TERMINAL, TRUST
from tests.fakes.mqtt import USERS, client, retained
from tests.fakes.mqtt_daemon import StoppedClock, daemon, drill, live
from tests.fakes.scripted_broker import (
    MAXIMUM_PACKET_SIZE,
    RECEIVE_MAXIMUM,
    ScriptedBroker,
    integer_property,
    scripted_broker,
)
from tests.waiting import until
from warnd.channel import NOT_STARTED, Accepted, Failed, Text, Unknown
from warnd.model.loudspeaker import Verb, verify_command

REGION_TOPICS = "warnd/v1/region/+/command/+"
DRILL_TOPICS = "warnd-drill/v1/region/+/command/+"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path, users=USERS) as running:
        yield running


@needs_mosquitto
async def test_a_terminal_that_comes_later_finds_the_command_with_the_life_that_is_left(broker: Broker) -> None:
    async with daemon(live(broker.host, broker.port)).running() as sender:
        outgoing = sender.to_region("510181102007")
        assert [type(outcome) for outcome in await sender.send(outgoing)] == [Accepted]
    async with client(broker.host, broker.port, user=TERMINAL) as terminal:
        await terminal.subscribe(REGION_TOPICS, qos=1)
        message = await asyncio.wait_for(anext(terminal.messages), 10)
    assert message.retain
    assert str(message.topic) == "warnd/v1/region/510181102007/command/flood-1"
    assert message.properties is not None
    assert 7100 < vars(message.properties)["MessageExpiryInterval"] <= 7200
    assert isinstance(message.payload, bytes)
    assert verify_command(message.payload, TRUST).verb is Verb.PLAY


@needs_mosquitto
async def test_a_topic_that_the_acl_forbids_is_a_failure_although_the_client_library_hides_it(broker: Broker) -> None:
    thief = replace(live(broker.host, broker.port), username=TERMINAL, client_id="thief")
    async with daemon(thief).running() as sender:
        outcomes = await sender.send(sender.to_region("510181102007"))
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].reason.startswith("0x87")
    assert await retained(broker.host, broker.port, REGION_TOPICS) == {}


@needs_mosquitto
async def test_drills_have_their_own_root_listener_and_key(broker: Broker) -> None:
    both = daemon(live(broker.host, broker.port), drill=drill(broker.host, broker.drill_port))
    async with both.running() as sender:
        await until(lambda: len(sender.forgotten) == 2)
        real, exercise = sender.to_region("510181102007"), sender.to_region("510181102007", "drill-1", drill=True)
        assert [type(outcome) for outcome in await sender.send(real, exercise)] == [Accepted, Accepted]
    on_live = await retained(broker.host, broker.port, REGION_TOPICS, DRILL_TOPICS)
    on_drill = await retained(broker.host, broker.drill_port, REGION_TOPICS, DRILL_TOPICS)
    # Both listeners of this mosquitto share its store; what separates them are the rights of each.
    assert list(on_live) == ["warnd/v1/region/510181102007/command/flood-1"]
    assert list(on_drill) == ["warnd-drill/v1/region/510181102007/command/drill-1"]


async def test_a_drill_without_a_drill_account_fails_for_good() -> None:
    async with scripted_broker(ScriptedBroker()) as other, daemon(live(other.host, other.port)).running() as sender:
        outcomes = await sender.send(sender.to_region("510181102007", drill=True))
        assert other.published == []
    assert outcomes == [Failed("no drill connection configured: add [mqtt.drill] to the settings", "permanent")]


@needs_mosquitto
async def test_without_a_connection_a_batch_fails_at_once(broker: Broker) -> None:
    sender = daemon(live(broker.host, broker.port))
    outcomes = await sender.send(sender.to_region("510181102007"), sender.to_region("510181102008"))
    assert outcomes == [Failed("broker unreachable: not connected yet")] * 2


@needs_mosquitto
async def test_a_broker_killed_in_mid_window_leaves_unknown_and_failed_and_nothing_comes_later(broker: Broker) -> None:
    """A reused client would resend all of these after the restart."""
    options = replace(live(broker.host, broker.port), window=5)
    async with daemon(options).running() as sender:
        assert broker._process is not None
        broker._process.send_signal(signal.SIGSTOP)
        batch = [sender.to_region(f"5101811020{number:02d}") for number in range(20)]
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(sender.send(*batch))
            await until(lambda: len(_session_flight(sender)) == 5)
            broker.kill()
        outcomes = sending.result()
        assert [type(outcome) for outcome in outcomes[:5]] == [Unknown] * 5
        assert [type(outcome) for outcome in outcomes[5:]] == [Failed] * 15
        broker.start()
        await until(lambda: sender.channel.problem() is None)
        assert await sender.send(sender.to_region("510181102099"))
        assert list(await retained(broker.host, broker.port, REGION_TOPICS)) == [
            "warnd/v1/region/510181102099/command/flood-1"
        ]


def _session_flight(sender: object) -> dict[int, object]:
    """Look at what is under way: only so can the moment of the crash be chosen."""
    return dict(sender.channel._live.line._session._flight)  # type: ignore[attr-defined]  # reaching in on purpose


@needs_mosquitto
async def test_a_frozen_broker_is_given_up_after_the_time_out(broker: Broker) -> None:
    async with daemon(replace(live(broker.host, broker.port), timeout_s=0.2)).running() as sender:
        assert broker._process is not None
        broker._process.send_signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(5):
                outcomes = await sender.send(sender.to_region("510181102007"))
            problem = sender.channel.problem()
        finally:
            broker._process.send_signal(signal.SIGCONT)
    assert outcomes == [Unknown("no answer from the broker: no PUBACK within 0.2 s")]
    assert problem is not None


async def test_a_try_whose_turn_comes_too_late_is_not_started() -> None:
    clock = StoppedClock()

    def slowly(_number: int) -> int:
        clock.moment_s += 10
        return 0x00

    other = ScriptedBroker(puback=slowly)
    async with scripted_broker(other):
        one_by_one = daemon(replace(live(other.host, other.port), window=1), clock=clock)
        async with one_by_one.running() as sender:
            start_by = clock.moment_s + 10
            outcomes = await sender.send(
                *[replace(sender.to_region(f"X-{number}"), start_by=start_by) for number in range(3)]
            )
    assert outcomes == [Accepted(), Accepted(), NOT_STARTED]
    assert len(other.published) == 2


async def test_every_reason_code_on_the_wire_becomes_its_outcome() -> None:
    codes = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
    other = ScriptedBroker(puback=lambda number: codes[number - 1])
    async with scripted_broker(other), daemon(live(other.host, other.port)).running() as sender:
        outcomes = await sender.send(*[sender.to_region(f"X-{code}") for code in codes])
    assert [type(outcome) for outcome in outcomes[:2]] == [Accepted, Accepted]
    for code, outcome in zip(codes[2:], outcomes[2:], strict=True):
        assert isinstance(outcome, Failed)
        assert outcome.reason.startswith(f"{code:#04x} ")


async def test_a_reason_code_outside_of_the_standard_never_counts_as_accepted() -> None:
    """The library ends the connection over it, so it cannot be told from a loss."""
    other = ScriptedBroker(puback=lambda _number: 0x42)
    async with scripted_broker(other), daemon(live(other.host, other.port)).running() as sender:
        outcomes = await sender.send(sender.to_region("X"))
        await until(lambda: other.connections == 2)
    assert [type(outcome) for outcome in outcomes] == [Unknown]


async def test_the_brokers_own_limit_bounds_the_window() -> None:
    other = ScriptedBroker(connack=integer_property(RECEIVE_MAXIMUM, 3, size_bytes=2), puback=lambda _number: None)
    async with scripted_broker(other), daemon(replace(live(other.host, other.port), timeout_s=0.3)).running() as sender:
        outcomes = await sender.send(*[sender.to_region(f"X-{number}") for number in range(10)])
    assert len(other.published) == 3
    assert [type(outcome) for outcome in outcomes] == [Unknown] * 3 + [Failed] * 7


async def test_a_packet_larger_than_the_broker_takes_is_not_sent() -> None:
    other = ScriptedBroker(connack=integer_property(MAXIMUM_PACKET_SIZE, 2000, size_bytes=4))
    async with scripted_broker(other), daemon(live(other.host, other.port)).running() as sender:
        long = sender.to_region("X-1", texts=[Text("en", "x" * 3000)])
        refused, accepted = await sender.send(long, sender.to_region("X-2"))
    assert isinstance(refused, Failed)
    assert refused.retry == "permanent"
    assert "2000 bytes" in refused.reason
    assert isinstance(accepted, Accepted)


async def test_a_drill_line_that_hangs_holds_up_nothing_real() -> None:
    stuck = ScriptedBroker(puback=lambda _number: None)
    async with scripted_broker(stuck), scripted_broker(ScriptedBroker()) as other:
        slow = replace(drill(stuck.host, stuck.port), window=1, timeout_s=60)
        async with daemon(live(other.host, other.port), drill=slow).running() as sender:
            await until(lambda: len(sender.forgotten) == 2)
            drills = [sender.to_region(f"D-{number}", drill=True) for number in range(3)]
            batch = [*drills, sender.to_region("X-1"), sender.to_region("X-2")]
            first_two = []
            async with asyncio.timeout(5):
                async for index, outcome in sender.channel.send(batch):
                    first_two.append((index, type(outcome)))
                    if len(first_two) == 2:
                        break
    assert first_two == [(3, Accepted), (4, Accepted)]


async def test_an_answer_after_the_end_changes_nothing_any_more() -> None:
    async with (
        scripted_broker(ScriptedBroker(puback=lambda _number: None)) as other,
        connected(live(other.host, other.port), lambda _arrival: None) as session,
    ):
        answered: list[Fate] = []
        session.submit(lambda: Parcel("stop", b"", retain=False, expiry_s=60), answered.append)
        (packet_id,) = session._flight
        session.end("the test ends it")
        session._on_puback(None, None, packet_id, ReasonCode(PacketTypes.PUBACK, "Success"), None)
    assert answered == [Lost("the test ends it")]


async def test_a_command_does_not_wait_for_what_is_only_a_reply() -> None:
    other = ScriptedBroker(puback=lambda number: 0x00 if number == 3 else None)
    async with (
        scripted_broker(other),
        connected(replace(live(other.host, other.port), window=1), lambda _arrival: None) as session,
    ):
        for topic in ("ack-1", "ack-2"):
            session.hand_out(Parcel(topic, b"", retain=False, expiry_s=60))
        answered: list[Fate] = []
        session.submit(lambda: Parcel("stop", b"", retain=False, expiry_s=60), answered.append)
        await until(lambda: answered == [Answered(0)])
    assert other.published == ["ack-1", "ack-2", "stop"]


@needs_mosquitto
async def test_the_shipped_rights_let_no_terminal_hear_another_terminals_commands(broker: Broker) -> None:
    async with (
        daemon(live(broker.host, broker.port)).running() as sender,
        client(broker.host, broker.port, user=TERMINAL) as ear,
    ):
        await ear.subscribe("warnd/v1/terminal/+/command", qos=1)
        other = replace(sender.to_region("1"), address="terminal:T-9999")
        mine = replace(sender.to_region("1"), address=f"terminal:{TERMINAL}")
        await sender.send(other, mine)
        message: aiomqtt.Message = await asyncio.wait_for(anext(ear.messages), 10)
    assert str(message.topic) == f"warnd/v1/terminal/{TERMINAL}/command"
