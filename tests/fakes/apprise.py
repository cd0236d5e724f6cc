"""The other side of the apprise channel: a small server that takes what Apprise's own `json://` service posts."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.receiver import Receiver, receiver
from warnd.channel import Message, Outgoing, Receipt, Text

APPRISE_TOML = '[apprise]\nservices = ["json"]\ntimeout_s = 1\n'
_DRILL = "[EXERCISE] "


def harness() -> Harness:
    """Return the harness of this channel."""
    return _AppriseHarness()


class _AppriseHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        del folder
        return _started()


@asynccontextmanager
async def _started() -> AsyncIterator[OtherSide]:
    async with receiver() as taking:
        yield ChatSide(taking)


class ChatSide:
    """See `OtherSide`. Drills go to the same chats, as on a phone: their mark tells them apart."""

    toml = APPRISE_TOML
    faults: frozenset[Fault] = frozenset({"refuse", "hang"})  # One service that is gone troubles only its own chats.
    drills = True
    receipts = False

    def __init__(self, taking: Receiver) -> None:
        self.terminal_keys: dict[str, bytes] = {}
        self._taking = taking

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Write into a chat of its own for each attempt."""
        mark = _DRILL if message.drill else ""
        text = Text("en", "Go to high ground now.", subject=f"{mark}{message.headline}")
        address = f"json://127.0.0.1:{self._taking.port}/{message.id}"
        return Outgoing(attempt, message, "officer", address, (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Return the ids of what was written, of drills or of the real thing."""
        return tuple(
            one.path.strip("/")
            for one in self._taking.taken
            if json.loads(one.body)["title"].startswith(_DRILL) is drill
        )

    def announce(self, message_id: str) -> None:
        """Fail: there is no public site here."""
        raise AssertionError(f"the apprise channel announced {message_id}")

    async def accept(self) -> None:
        """Take everything again."""
        self._taking.answer(200)

    async def refuse(self) -> None:
        """Answer that it cannot."""
        self._taking.answer(500, "out of order")

    async def hang(self) -> None:
        """Take requests and say nothing."""
        self._taking.hang()

    async def die(self) -> None:
        """Fail: see `faults`."""
        raise AssertionError("one service that is gone is no trouble of the channel")

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Fail: chat services tell nothing."""
        raise AssertionError(f"nobody can send a receipt for {outgoing.attempt}")

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        """Fail: there are none."""
        raise AssertionError(f"{receipt} cannot be for {outgoing.attempt}")
