"""The demonstration's MQTT 5 broker: mosquitto with the shipped rights if it is installed, else the one that comes in a wheel."""

import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from warnd.cli.demo.child import Child, finished, free_port, listens, running
from warnd.cli.stop import Exit, Stop
from warnd.resources import shipped

_MAX_PACKET_BYTES = 65_536  # Nothing in the protocol is longer than 16 KiB (DESIGN §9).


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that listens on 127.0.0.1; `kind` is what to call it."""

    port: int
    kind: str
    child: Child


def which_broker(program: Callable[[str], object] | None = None, module: Callable[[str], object] = find_spec) -> str:
    """Return "mosquitto" or "iotcore", whichever this machine has, mosquitto first.

    Args:
        program: Finds an installed program by name; None or "" = not installed.
        module: Finds an installed Python package by name.

    Raises:
        Stop: It has neither.
    """
    installed = program or _program
    if installed("mosquitto") and installed("mosquitto_passwd"):
        return "mosquitto"
    if module("iotcore"):
        return "iotcore"
    raise Stop(
        "The demonstration needs an MQTT 5 broker and found none. Install mosquitto (apt install mosquitto), or the broker in a "
        "wheel: pip install iotcore, as `make demo` does.",
        code=Exit.UNREACHABLE,
    )


@contextlib.asynccontextmanager
async def running_broker(folder: Path, users: Mapping[str, str], *, kind: str) -> AsyncIterator[Broker]:
    """Run a broker of this kind for these users (name -> password) in `folder`, which must not exist yet."""
    _private(folder)
    port = free_port()
    command = await (_mosquitto if kind == "mosquitto" else _iotcore)(folder, users, port)

    async def ready() -> bool:
        return await listens(port)

    async with running(f"The MQTT broker ({kind})", command, log=folder / "broker.log", ready=ready) as child:
        yield Broker(port, kind, child)


async def _mosquitto(folder: Path, users: Mapping[str, str], port: int) -> list[str]:
    passwords, rights = folder / "passwords", folder / "acl"
    _write_secret(passwords, "".join(f"{user}:{password}\n" for user, password in users.items()))
    await finished([_needed("mosquitto_passwd"), "-U", str(passwords)], log=folder / "passwords.log")
    _write_secret(rights, (shipped("config") / "mosquitto" / "acl").read_text("utf-8"))
    lines = [
        # As root it would become a user who may not read this folder.
        *(["user root"] if os.geteuid() == 0 else []),
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {rights}",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {folder}/",
        "max_queued_messages 100000",
        "max_inflight_messages 100",
        f"max_packet_size {_MAX_PACKET_BYTES}",
    ]
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join(lines) + "\n", "utf-8")
    return [_needed("mosquitto"), "-c", str(settings)]


async def _iotcore(folder: Path, users: Mapping[str, str], port: int) -> list[str]:
    """Write rumqttd's settings. It knows passwords, but no rights by topic: good enough for a demonstration only."""
    listener = [
        'name = "warnd"',
        f'listen = "127.0.0.1:{port}"',
        "next_connection_delay_ms = 1",
    ]
    connections = [
        "connection_timeout_ms = 10000",
        f"max_payload_size = {_MAX_PACKET_BYTES}",
        "max_inflight_count = 100",
        "dynamic_filters = true",
    ]
    router = [
        "id = 0",
        "max_connections = 1000",
        "max_outgoing_packet_count = 200",
        "max_segment_size = 104857600",
        "max_segment_count = 10",
    ]
    lines = [
        "id = 0",
        "[router]",
        *router,
        "[v5.1]",
        *listener,
        "[v5.1.connections]",
        *connections,
        "[v5.1.connections.auth]",
    ]
    lines += [f'"{user}" = "{password}"' for user, password in users.items()]
    settings = folder / "broker.toml"
    _write_secret(settings, "\n".join(lines) + "\n")
    return [sys.executable, "-m", "iotcore", "--config", str(settings), "--log-level", "WARNING"]


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def _program(name: str) -> str | None:
    # Debian keeps the broker outside of an ordinary user's PATH.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _needed(name: str) -> str:
    found = _program(name)
    if found is None:
        raise Stop(f"{name} is not installed.", code=Exit.UNREACHABLE)
    return found
