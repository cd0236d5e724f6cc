"""The other side of two gateways of which the first is dead: what is given to the spool must keep the whole contract beside it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.contract.harness import Harness, OtherSide
from tests.fakes.sms_spool import SpoolSide
from tests.fakes.sms_twilio import twilio_toml
from tests.fakes.twilio import AUTH_TOKEN
from warnd.channel import Message, Outgoing

NOBODY = "http://127.0.0.1:1"


def harness() -> Harness:
    """Return the harness of this pair."""
    return _FallbackHarness()


class _FallbackHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    (folder / "token").write_text(AUTH_TOKEN)
    yield FallbackSide(folder / "spool")


class FallbackSide(SpoolSide):
    """See `OtherSide`; who claims a try finds out that the first is dead, and gives it to the second."""

    toml = twilio_toml(NOBODY).replace('"twilio"\n', '"twilio"\nfallback = "spool"\n') + '[sms.spool]\ndir = "spool"\n'

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        return replace(super().outgoing(attempt, message), sender="spool")
