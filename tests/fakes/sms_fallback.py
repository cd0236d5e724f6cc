"""The other side of a chooser whose first gateway is dead: the spool that takes over must keep the whole contract behind it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.contract.harness import Harness, OtherSide
from tests.fakes.sms_spool import SpoolSide
from tests.fakes.sms_twilio import twilio_toml
from tests.fakes.twilio import AUTH_TOKEN

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
    """See `OtherSide`."""

    toml = twilio_toml(NOBODY).replace('"twilio"\n', '"twilio"\nfallback = "spool"\n') + '[sms.spool]\ndir = "spool"\n'
