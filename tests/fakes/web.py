"""The other side of the web channel: whoever is told that the public site must show a message."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.contract.harness import Fault, OtherSide
from warnd.channel import Message, Outgoing, Receipt, Text


class Announcements:
    """Keeps what was announced. It is a function call away, so it can neither refuse nor hang nor die."""

    toml = "[web]\nsite = true\n"
    faults: frozenset[Fault] = frozenset()
    drills = False
    receipts = False

    def __init__(self) -> None:
        self.terminal_keys: dict[str, bytes] = {}
        self._announced: list[str] = []

    def announce(self, message_id: str) -> None:
        self._announced.append(message_id)

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        return Outgoing(attempt, message, recipient=None, address="site", texts=(Text("zh", message.headline),))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        return () if drill else tuple(self._announced)

    async def accept(self) -> None:
        """Go on: there is no fault to end."""

    async def refuse(self) -> None:
        raise AssertionError("it cannot refuse")

    async def hang(self) -> None:
        raise AssertionError("it cannot hang")

    async def die(self) -> None:
        raise AssertionError("it cannot die")

    async def give_receipt(self, outgoing: Outgoing) -> None:
        raise AssertionError(f"nobody can send a receipt for {outgoing.attempt}")

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        raise AssertionError(f"{receipt} cannot be for {outgoing.attempt}")


class Harness:
    """Starts one."""

    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        del folder

        @asynccontextmanager
        async def started() -> AsyncIterator[OtherSide]:
            yield Announcements()

        return started()


def harness() -> Harness:
    return Harness()
