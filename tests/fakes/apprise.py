"""The other side of the apprise channel: a small server that takes what Apprise's own `json://` service posts."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.contract.harness import Harness, OtherSide
from tests.fakes.posted_to import PostedTo
from tests.fakes.receiver import receiver
from warnd.channel import Message, Outgoing, Text

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


class ChatSide(PostedTo):
    """See `OtherSide`. Drills go to the same chats, as on a phone: their mark tells them apart."""

    toml = APPRISE_TOML
    drills = True

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
