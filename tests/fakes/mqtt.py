"""The other side of the mqtt channel: a real mosquitto with the shipped rights, and whoever listens and answers there."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.broker import Broker, running_broker
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, NOW, TERMINAL, TERMINAL_KEY, TRUST
from warnd.channel import Message, Outgoing, Playback, Text
from warnd.channel import Receipt as Sunk
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Command,
    Receipt,
    Stage,
    private_key_pem,
    public_bytes,
    receipt_topic,
    region_command_topic,
    sign_receipt,
    terminal_command_topic,
    verify_command,
)

PASSWORD = "secret"
USERS = {"warnd": PASSWORD, TERMINAL: PASSWORD}


def harness() -> Harness:
    """Return the harness of this channel."""
    return _MqttHarness()


class _MqttHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    with running_broker(folder, users=USERS) as broker:
        side = MosquittoSide(broker, folder)
        try:
            yield side
        finally:
            await side.accept()


class MosquittoSide:
    """See `OtherSide`."""

    faults: frozenset[Fault] = frozenset({"refuse", "hang", "die"})
    drills = True
    receipts = True

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.terminal_keys = {TERMINAL: public_bytes(TERMINAL_KEY)}
        self.toml = _settings(broker, folder)
        self._broker = broker
        self._acl = broker.folder / "acl"
        self._rights = self._acl.read_text()
        self._stopped = False
        self._receipts = 0
        self._villages = 0

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Command a village of its own for each attempt."""
        self._villages += 1
        village = f"5101{self._villages:08d}"
        return Outgoing(
            attempt, message, None, f"region:{village}", (Text("en", "Red flood warning. Move to high ground."),)
        )

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Read what the broker keeps for terminals that come now."""
        root, port = (DRILL_ROOT, self._broker.drill_port) if drill else (LIVE_ROOT, self._broker.port)
        kept = await retained(self._broker.host, port, region_command_topic(root, "+", "+"))
        commands = sorted((verify_command(payload, TRUST) for payload in kept.values()), key=_issued_at)
        return tuple(str(command.message_id) for command in commands)

    def announce(self, message_id: str) -> None:
        """Loudspeakers are no public site."""
        raise AssertionError(f"the mqtt channel announced {message_id}")

    async def accept(self) -> None:
        """Mend whatever was broken."""
        if self._broker._process is None:
            self._broker.start()
        if self._stopped:
            self._signal(signal.SIGCONT)
            self._stopped = False
        if self._acl.read_text() != self._rights:
            self._write_rights(self._rights)

    async def refuse(self) -> None:
        """Take the daemon's right to command away."""
        self._write_rights(self._rights.replace("topic write warnd/", "topic deny warnd/"))

    async def hang(self) -> None:
        """Stop the broker's process; its sockets stay open."""
        self._signal(signal.SIGSTOP)
        self._stopped = True

    async def die(self) -> None:
        """Cut the power."""
        self._broker.kill()

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Let the terminal say that it has the command."""
        self._receipts += 1
        receipt = Receipt(
            root=LIVE_ROOT,
            terminal=TERMINAL,
            boot_id="boot-1",
            n=self._receipts,
            stage=Stage.RECEIVED,
            at=NOW,
            message_id=outgoing.message.id,
            seq=outgoing.message.seq,
        )
        async with client(self._broker.host, self._broker.port, user=TERMINAL) as terminal:
            await terminal.publish(receipt_topic(LIVE_ROOT, TERMINAL), sign_receipt(receipt, TERMINAL_KEY), qos=1)

    def is_receipt_for(self, receipt: Sunk, outgoing: Outgoing) -> bool:
        """Tell by the message."""
        return isinstance(receipt, Playback) and receipt.message_id == outgoing.message.id

    def _write_rights(self, text: str) -> None:
        self._acl.write_text(text)
        self._signal(signal.SIGHUP)
        self._broker.wait_for("Reloading config")

    def _signal(self, number: signal.Signals) -> None:
        assert self._broker._process is not None
        self._broker._process.send_signal(number)


def client(host: str, port: int, *, user: str, password: str = PASSWORD) -> aiomqtt.Client:
    """Return an ordinary client with a clean session, as another program would connect."""
    return aiomqtt.Client(
        host, port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5, clean_start=True, timeout=10
    )


async def retained(host: str, port: int, *topics: str) -> dict[str, bytes]:
    """Return topic -> payload of what the broker keeps under `topics` for whoever subscribes now."""
    async with client(host, port, user=TERMINAL) as ear:
        for topic in topics:
            await ear.subscribe(topic, qos=0)
        # Retained messages leave before the answer to what is asked after their subscription.
        await ear.subscribe(terminal_command_topic(LIVE_ROOT, TERMINAL), qos=0)
        kept: dict[str, bytes] = {}
        while len(ear.messages):
            message = await asyncio.wait_for(anext(ear.messages), 10)
            assert isinstance(message.payload, bytes)
            kept[str(message.topic)] = message.payload
        return kept


def _settings(broker: Broker, folder: Path) -> str:
    for name, key in (("live", LIVE_KEY), ("drill", DRILL_KEY)):
        (folder / f"{name}.pem").write_bytes(private_key_pem(key))
    (folder / "password").write_text(PASSWORD)
    return f"""
[mqtt]
host = "{broker.host}"
port = {broker.port}
username = "warnd"
password_file = "password"
signing_key_file = "live.pem"
timeout_s = 2

[mqtt.drill]
port = {broker.drill_port}
username = "warnd"
password_file = "password"
signing_key_file = "drill.pem"
timeout_s = 2
"""


def _issued_at(command: Command) -> datetime:
    return command.issued_at or datetime.min.replace(tzinfo=UTC)
