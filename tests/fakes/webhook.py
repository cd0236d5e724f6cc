"""The other side of the webhook channel: a receiver that verifies every signature with the library's own verifier."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from standardwebhooks import Webhook

from tests.contract.harness import Harness, OtherSide
from tests.fakes.posted_to import PostedTo
from tests.fakes.receiver import Receiver, Taken, receiver
from tests.fakes.web_centre import flood
from warnd.channel import Message, Outgoing, Text

SECRET = "whsec_" + base64.b64encode(b"the secret of the receiver").decode()


def harness() -> Harness:
    """Return the harness of this channel."""
    return _WebhookHarness()


class _WebhookHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    async with receiver() as taking:
        yield ReceiverSide(taking, folder)


def verified(taken: Taken, *, secret: str = SECRET) -> dict[str, object]:
    """Return what a request says, after the library has found its signature good."""
    said = Webhook(secret).verify(taken.body, dict(taken.headers))
    assert isinstance(said, dict)
    return said


class ReceiverSide(PostedTo):
    """See `OtherSide`."""

    drills = False

    def __init__(self, taking: Receiver, folder: Path) -> None:
        super().__init__(taking)
        (folder / "webhook.secret").write_text(SECRET + "\n")
        self.toml = f"""
[webhook]
timeout_s = 1
[webhook.endpoints.board]
url = "{taking.url}/warnings"
secret_file = "webhook.secret"
"""

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Post to the one endpoint."""
        told = replace(message, document=flood())
        return Outgoing(attempt, told, None, "webhook:board", (Text("", message.headline),))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Return the ids in what was taken and is truly signed."""
        if drill:
            return ()
        said = [json.loads(json.dumps(verified(each)["data"])) for each in self._taking.taken]
        return tuple(str(each["id"]) for each in said)
