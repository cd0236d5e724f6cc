"""The other side of `[sms.http]` in the contract suite: the village's modem box of the shipped example, on a real port."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.gateways_over_http import Modem, open_box
from tests.fakes.phones import TextingSide
from warnd.channel import Message, Outgoing, Text
from warnd.resources import shipped

DRILL_MARK = "【演练】"


def harness() -> Harness:
    """Return the harness of this gateway."""
    return _ModemHarness()


class _ModemHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    modem = Modem()
    async with open_box(modem):
        (folder / "modem-key").write_text(modem.key)
        yield ModemSide(modem)


def village_toml(modem: Modem) -> str:
    """Return the shipped example with the address of this box, looking and asking often, and giving up soon."""
    example = (shipped("config") / "gateways" / "village.toml").read_text("utf-8")
    example = example.replace("http://192.168.8.20", modem.url).replace("every_s = 5", "every_s = 0.05")
    return example.replace("timeout_s = 15", "timeout_s = 1\nwatch_s = 0.05").replace("calls = 1\n", "calls = 30\n")


class ModemSide(TextingSide):
    """See `OtherSide`. Drills go to the same phones; only their mark tells them apart."""

    faults: frozenset[Fault] = frozenset({"refuse", "hang", "die"})

    def __init__(self, modem: Modem) -> None:
        self.toml = village_toml(modem)
        self.terminal_keys: dict[str, bytes] = {}
        self._modem = modem
        self._messages: dict[str, str] = {}
        self._phones = count(13_800_000_000)

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Text a phone of its own for each attempt."""
        self._messages[attempt] = message.id
        text = Text("zh", f"{DRILL_MARK if message.drill else ''}洪水红色预警。回复1确认")
        return Outgoing(attempt, message, "officer", f"+86{next(self._phones)}", (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Read what the box took."""
        return tuple(
            self._messages[taken.id] for taken in self._modem.taken if taken.text.startswith(DRILL_MARK) == drill
        )

    async def accept(self) -> None:
        """Answer again; what hung is never answered."""
        self._modem.mischief = None
        await self._modem.open()

    async def refuse(self) -> None:
        """Have no credit."""
        self._modem.mischief = "refuse"

    async def hang(self) -> None:
        """Take calls and answer none."""
        self._modem.mischief = "hang"

    async def die(self) -> None:
        """Lose its power."""
        await self._modem.close()

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Have a report ready for whoever asks."""
        self._modem.reports.append({"id": outgoing.attempt, "state": "delivered", "at": 1783063812})
