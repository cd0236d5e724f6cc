"""The demonstration's child processes: ready when they say so, named when they fail, gone when the block ends."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import pytest

from warnd.cli.demo.broker import running_broker, which_broker
from warnd.cli.demo.child import finished, free_port, listens, running
from warnd.cli.stop import Stop

_SERVES = "import http.server; http.server.HTTPServer(('127.0.0.1', {port}), http.server.BaseHTTPRequestHandler).serve_forever()"


async def test_a_child_is_ready_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    port = free_port()

    async def ready() -> bool:
        return await listens(port)

    async with running(
        "a server", [sys.executable, "-c", _SERVES.format(port=port)], log=tmp_path / "log", ready=ready
    ) as child:
        assert await listens(port)
        number = child.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


async def test_a_child_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('port is taken')"]
    with pytest.raises(Stop, match=r"(?s)The broker did not start.*port is taken"):
        async with running("The broker", command, log=tmp_path / "log", ready=_never):
            pass


async def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="did not start: /nowhere/broker"):
        async with running("The broker", ["/nowhere/broker"], log=tmp_path / "log", ready=_never):
            pass


async def test_a_child_that_dies_later_is_named(tmp_path: Path) -> None:
    async with running(
        "The daemon", [sys.executable, "-c", "print('out of luck')"], log=tmp_path / "log", ready=_at_once
    ) as child:
        with pytest.raises(Stop, match=r"(?s)The daemon ended by itself with code 0.*out of luck"):
            await child.watch()


async def test_a_short_command_that_fails_shows_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"(?s)failed with code 4.*row 7 is bad"):
        await finished(
            [sys.executable, "-c", "import sys; print('row 7 is bad', file=sys.stderr); sys.exit(4)"],
            log=tmp_path / "log",
        )


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
async def test_either_broker_speaks_mqtt_5_and_keeps_strangers_out(tmp_path: Path, kind: str) -> None:
    if kind == "mosquitto" and which_broker() != kind:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    users = {"warnd": "right", "speaker-1": "also-right"}
    topic = "warnd/v1/region/990101000000/command/c1"
    async with running_broker(tmp_path / "mqtt", users, kind=kind) as broker:
        async with _client(broker.port, "warnd", "right") as daemon:
            await daemon.publish(topic, b"play", qos=1, retain=True)
        async with _client(broker.port, "speaker-1", "also-right") as terminal:
            await terminal.subscribe("warnd/v1/region/990101000000/command/+", qos=1)
            assert (await anext(aiter(terminal.messages))).payload == b"play"
        with pytest.raises(aiomqtt.MqttError):
            async with _client(broker.port, "warnd", "wrong"):
                pass


def test_mosquitto_goes_before_the_wheel_and_neither_names_both() -> None:
    def have(*names: str) -> Callable[[str], object]:
        return lambda name: name if name in names else None

    assert which_broker(have("mosquitto", "mosquitto_passwd"), have("iotcore")) == "mosquitto"
    assert which_broker(have("mosquitto"), have("iotcore")) == "iotcore"
    with pytest.raises(Stop, match=r"(?s)apt install mosquitto.*iotcore"):
        which_broker(have(), have())


def _client(port: int, user: str, password: str) -> aiomqtt.Client:
    version = aiomqtt.ProtocolVersion.V5
    return aiomqtt.Client(
        "127.0.0.1", port, username=user, password=password, identifier=user, protocol=version, timeout=2
    )


async def _never() -> bool:
    return False


async def _at_once() -> bool:
    return True
