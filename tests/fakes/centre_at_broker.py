"""A warning centre at a real broker: commands terminals, reads what they prove, confirms only when a test says so."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiomqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.fakes.broker import Broker
from tests.fakes.loudspeaker import DRILL_KEY, LIVE_KEY, TERMINAL_KEY
from tests.fakes.village import topic_of
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    Command,
    Receipt,
    TerminalState,
    parse_state,
    public_bytes,
    receipt_topic,
    sign_command,
    state_topic,
    verify_receipt,
)

WAIT_S = 20.0


@dataclass
class Centre:
    """One connection of the daemon's user; `receipts` and `states` grow as they come, repeats included."""

    client: aiomqtt.Client
    root: str
    receipts: list[Receipt] = field(default_factory=list)
    states: list[TerminalState] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def command(
        self,
        command: Command,
        *,
        key: Ed25519PrivateKey | None = None,
        retain: bool | None = None,
        expiry_s: int = 7200,
    ) -> None:
        """Publish a command as the daemon would: retained where it is for a region."""
        signed = sign_command(command, key or (DRILL_KEY if command.root == DRILL_ROOT else LIVE_KEY))
        await self.publish(
            topic_of(command),
            signed,
            retain=command.to.startswith("region:") if retain is None else retain,
            expiry_s=expiry_s,
        )

    async def publish(self, topic: str, payload: str, *, retain: bool, expiry_s: int = 7200) -> None:
        """Publish anything."""
        expiry = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
        expiry.MessageExpiryInterval = expiry_s
        await self.client.publish(topic, payload, qos=1, retain=retain, properties=expiry)

    async def until(self, true: "Callable[[Centre], object]") -> None:
        """Return when `true` holds of this centre.

        Raises:
            AssertionError: It never did; the text has what came.
        """
        try:
            async with asyncio.timeout(WAIT_S):
                while not true(self):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError as error:
            raise AssertionError(f"waited in vain; came: {self.told()}; {self.states}") from error

    async def until_told(self, *words: str) -> None:
        """Return when each of these has been reported, like "flood-1 played"."""
        await self.until(lambda centre: set(words) <= set(centre.told()))

    def told(self) -> list[str]:
        """Return in short what was reported, each receipt once."""
        seen: dict[tuple[str, int], str] = {}
        for receipt in self.receipts:
            words = (receipt.message_id, receipt.stage.value, receipt.reason and receipt.reason.value)
            seen.setdefault((receipt.boot_id, receipt.n), " ".join(word for word in words if word))
        return list(seen.values())

    async def listen(self) -> None:
        """Take what comes, until cancelled."""
        async for message in self.client.messages:
            topic = str(message.topic)
            if topic.endswith("/receipt"):
                self.receipts.append(verify_receipt(message.payload, topic, public_bytes(TERMINAL_KEY)))
            else:
                self.states.append(parse_state(message.payload, topic))
            self._came.set()


@asynccontextmanager
async def centre_at(broker: Broker, password: str, *, drill: bool = False) -> AsyncIterator[Centre]:
    """Connect a centre for live warnings, or for drills."""
    root = DRILL_ROOT if drill else LIVE_ROOT
    authority = broker.folder / "ca.crt"
    client = aiomqtt.Client(
        broker.host,
        broker.drill_port if drill else broker.port,
        username="warnd",
        password=password,
        tls_context=ssl.create_default_context(cafile=str(authority)) if authority.exists() else None,
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with client, asyncio.TaskGroup() as group:
        centre = Centre(client, root)
        await client.subscribe(receipt_topic(root, "+"), qos=1)
        await client.subscribe(state_topic(root, "+"), qos=1)
        listening = group.create_task(centre.listen())
        yield centre
        listening.cancel()
