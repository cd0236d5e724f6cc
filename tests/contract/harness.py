"""What a channel's fake offers, so that one suite can hold every channel to the same contract.

Each channel has `tests/fakes/<name>.py` with a function `harness() -> Harness`; one that reaches its people through a choice of
gateways has `tests/fakes/<name>_<gateway>.py` for each, and the suite runs over every one. It writes a settings file of the
fake's sections, builds the channel through `channels.CHANNELS` as the daemon does, and steers the other side by the words
below. An other side whose attribute `hurry` is above 1 is met by a channel whose clock runs that many times as fast.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from starlette.types import ASGIApp

from channels import CHANNELS
from warnd.channel import Message, Outgoing, Receipt

Fault = Literal["refuse", "hang", "die"]
FAKES = Path(__file__).parents[1] / "fakes"


@dataclass(frozen=True, slots=True)
class Variant:
    """One channel as one fake plays its other side; `fake` names the module in `tests/fakes`."""

    channel: str
    fake: str

    def __str__(self) -> str:
        """Return it as it stands in the name of a test: "mqtt", "sms:spool"."""
        return (
            self.channel
            if self.fake == self.channel
            else f"{self.channel}:{self.fake.removeprefix(self.channel + '_')}"
        )


def variants() -> list[Variant]:
    """Return what the suite runs over: every channel, and of SMS every gateway for which there is a fake."""
    gateways = [Variant("sms", path.stem) for path in sorted(FAKES.glob("sms_*.py"))]
    return [*(Variant(name, name) for name in sorted(CHANNELS) if name != "sms"), *gateways]


class OtherSide(Protocol):
    """A provider, broker or folder at the far end of one channel, real where it can be.

    Attributes:
        toml: The sections of warnd.toml that switch the channel on against this other side; short time-outs.
        faults: What this kind of other side can do to us; the suite tries these and no others.
        drills: Whether the settings give the channel a place for drills; where not, every drill must fail for good.
        receipts: Whether receipts ever come from it.
        terminal_keys: Terminal id -> raw public key, for `Context.terminal_key`.
    """

    toml: str
    faults: frozenset[Fault]
    drills: bool
    receipts: bool
    terminal_keys: dict[str, bytes]

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Return a try of `message` to an address that this other side knows; a fresh address for each attempt."""
        ...

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Return the message ids that truly arrived, oldest first, in the live place or in the place for drills."""
        ...

    def announce(self, message_id: str) -> None:
        """Take what the channel calls `Context.announce` with; only the public site has a use for it."""
        ...

    async def accept(self) -> None:
        """Take everything again, after any fault; return when it does."""
        ...

    async def refuse(self) -> None:
        """Answer everything with a refusal."""
        ...

    async def hang(self) -> None:
        """Be there and answer nothing."""
        ...

    async def die(self) -> None:
        """Be gone."""
        ...

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Send one receipt for `outgoing`, which was accepted; it is lost only when the channel has confirmed it."""
        ...

    def is_receipt_for(self, receipt: Receipt, outgoing: Outgoing) -> bool:
        """Return whether `receipt` is the one that `give_receipt` sent."""
        ...


@runtime_checkable
class CallsBack(Protocol):
    """An optional face of an other side that posts to the channel's own endpoints."""

    def reaches(self, app: ASGIApp) -> None:
        """Learn where the channel's endpoints are served."""
        ...


class Harness(Protocol):
    """How the suite gets an other side."""

    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        """Start one that accepts, keeping its files in `folder`; stop it, faults or not, at exit."""
        ...
