"""The other side of `[sms.twilio]` in the contract suite: the stateful fake on a real port, which calls back."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

from starlette.types import ASGIApp

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.phones import TextingSide
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, SENDER, Site, fake_twilio
from warnd.channel import Message, Outgoing, Text

DRILL_MARK = "【演练】"


def harness() -> Harness:
    """Return the harness of this gateway."""
    return _TwilioHarness()


class _TwilioHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    async with fake_twilio() as site:
        (folder / "token").write_text(AUTH_TOKEN)
        yield TwilioSide(site)


def twilio_toml(url: str, *, sender: str = SENDER) -> str:
    """Return `[http]` and `[sms]` that lead to the fake."""
    return (
        f'[http]\npublic_url = "{PUBLIC_URL}"\n[sms]\nprovider = "twilio"\n[sms.twilio]\naccount_sid = "{ACCOUNT_SID}"\n'
        f'auth_token_file = "token"\nfrom = "{sender}"\nbase_url = "{url}"\ntimeout_s = 1\n'
    )


class TwilioSide(TextingSide):
    """See `OtherSide`. Drills go to the same phones; only their mark tells them apart."""

    faults: frozenset[Fault] = frozenset({"refuse", "hang", "die"})
    hurry = 60.0  # A lost callback is asked after in minutes, the account looked at in quarters of one.

    def __init__(self, site: Site) -> None:
        self.toml = twilio_toml(site.twilio.url)
        self.terminal_keys: dict[str, bytes] = {}
        self._site = site
        self._twilio = site.twilio
        self._messages: dict[str, str] = {}
        self._phones = count(13_800_000_000)

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Text a phone of its own for each attempt."""
        self._messages[attempt] = message.id
        text = Text("zh", f"{DRILL_MARK if message.drill else ''}洪水红色预警。回复1确认")
        return Outgoing(attempt, message, "officer", f"+86{next(self._phones)}", (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Read what Twilio keeps."""
        kept = [one.form for one in self._twilio.heard() if one.form["Body"].startswith(DRILL_MARK) == drill]
        return tuple(self._messages[form["StatusCallback"].partition("attempt=")[2]] for form in kept)

    def reaches(self, app: ASGIApp) -> None:
        """Call back there."""
        self._twilio.app = app

    async def accept(self) -> None:
        """Take everything again."""
        self._twilio.always = None
        self._twilio.release()
        await self._site.open()

    async def refuse(self) -> None:
        """Not know the account any more."""
        self._twilio.always = "refuse"

    async def hang(self) -> None:
        """Read, and answer nothing."""
        self._twilio.always = "hang"

    async def die(self) -> None:
        """Close the port."""
        await self._site.close()

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Call back once, whatever is answered; what is not taken is there to be asked for."""
        (one,) = [one for one in self._twilio.heard() if one.form["StatusCallback"].endswith(f"={outgoing.attempt}")]
        answer = await self._twilio.call_back(one, "delivered")
        assert answer.status_code in {204, 503}
