"""The other side of `[sms.smpp]` in the contract suite: the server of smpp34, an implementation that shares nothing with our session.

It takes any bind. What is submitted stands in its log; receipts are delivered until they are taken.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

import smpp34

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.phones import TextingSide
from tests.fakes.relay import Relay
from tests.ports import free_port
from warnd.channel import Message, Outgoing, Text

DRILL_MARK = "DRILL "
_RSYSERR = 0x08


def harness() -> Harness:
    """Return the harness of this gateway."""
    return _CentreHarness()


class _CentreHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    (folder / "password").write_text("secret")
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    relay = Relay(port)
    await relay.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            side = CentreSide(server, relay, tasks)
            serving = tasks.create_task(side.serve())
            yield side
            serving.cancel()
            side.give_up()
    finally:
        await relay.close()
        await server.stop()


class CentreSide(TextingSide):
    """See `OtherSide`. Drills go to the same phones; only their mark tells them apart."""

    faults: frozenset[Fault] = frozenset({"refuse", "hang", "die"})

    def __init__(self, server: smpp34.Server, relay: Relay, tasks: asyncio.TaskGroup) -> None:
        self.toml = (
            '[sms]\nprovider = "smpp"\n[sms.smpp]\nhost = "127.0.0.1"\nsystem_id = "county"\n'
            f'password_file = "password"\nport = {relay.port}\ntimeout_s = 1\nenquire_link_s = 0.5\n'
        )
        self.terminal_keys: dict[str, bytes] = {}
        self._server = server
        self._relay = relay
        self._tasks = tasks
        self._mischief: Fault | None = None
        self._giving: list[asyncio.Task[None]] = []
        self._esme: smpp34.Esme | None = None
        self._hung: list[smpp34.SubmitSmEvent] = []
        self._taken: list[tuple[str, str]] = []
        self._ids: dict[str, str] = {}  # Phone -> message id.
        self._messages: dict[str, str] = {}  # Phone -> our message id.
        self._numbers = count(1)
        self._phones = count(13_800_000_000)

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Text a phone of its own for each attempt; the same one for the same attempt."""
        phone = next((phone for phone, known in self._messages.items() if known == message.id), None)
        phone = phone or f"86{next(self._phones)}"
        self._messages[phone] = message.id
        return Outgoing(
            attempt, message, "officer", f"+{phone}", (Text("en", f"{DRILL_MARK if message.drill else ''}Flood"),)
        )

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Return what was taken."""
        return tuple(self._messages[phone] for phone, text in self._taken if text.startswith(DRILL_MARK) == drill)

    async def accept(self) -> None:
        """Listen, and take everything; what hung is never answered."""
        self._mischief = None
        await self._relay.open()

    async def refuse(self) -> None:
        """Answer with a system error."""
        self._mischief = "refuse"

    async def hang(self) -> None:
        """Answer no submit."""
        self._mischief = "hang"

    async def die(self) -> None:
        """Close the port and cut every connection."""
        await self._relay.close()

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Deliver a receipt until it is taken."""
        self._giving.append(self._tasks.create_task(self._deliver(outgoing.address.removeprefix("+"))))

    def give_up(self) -> None:
        """Deliver nothing more."""
        for task in self._giving:
            task.cancel()

    async def serve(self) -> None:
        """Take binds and submits until cancelled."""
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._esme = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._submitted(event)
            elif self._esme is not None and event.session_id == self._esme.session_id:
                self._esme = None

    def _submitted(self, event: smpp34.SubmitSmEvent) -> None:
        match self._mischief:
            case "refuse":
                event.reject(_RSYSERR)
            case "hang":
                self._hung.append(event)
            case _:
                message_id = f"{next(self._numbers):08x}"
                self._ids[event.destination_addr] = message_id
                self._taken.append((event.destination_addr, event.short_message.decode("latin-1")))
                event.accept(message_id)

    async def _deliver(self, phone: str) -> None:
        text = f"id:{self._ids[phone]} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
        while True:
            if self._esme is not None:
                try:
                    told = await self._esme.deliver_sm(
                        "county", text.encode(), source_addr=phone, source_addr_ton=1, esm_class=0x04
                    )
                except smpp34.SmppError:
                    told = None
                if told is not None and told.is_success:
                    return
            await asyncio.sleep(0)
