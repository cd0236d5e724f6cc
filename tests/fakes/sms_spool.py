"""The other side of the sms channel: the spool folder itself, and a gateway bridge that reads it and answers."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.contract.harness import Fault, Harness, OtherSide
from tests.fakes.phones import TextingSide
from warnd.channel import Message, Outgoing, Text

DRILL_MARK = "【演练】"


def harness() -> Harness:
    """Return the harness of this channel."""
    return _SpoolHarness()


class _SpoolHarness:
    def start(self, folder: Path) -> AbstractAsyncContextManager[OtherSide]:
        return _started(folder)


@asynccontextmanager
async def _started(folder: Path) -> AsyncIterator[OtherSide]:
    yield SpoolSide(folder / "spool")


class SpoolSide(TextingSide):
    """See `OtherSide`. Drills go to the same phones; only their mark tells them apart."""

    toml = '[sms]\nprovider = "spool"\n[sms.spool]\ndir = "spool"\n'
    faults: frozenset[Fault] = frozenset({"refuse", "die"})
    hurry = 10.0  # What the ledger could not take is tried again after seconds.

    def __init__(self, folder: Path) -> None:
        self.terminal_keys: dict[str, bytes] = {}
        self._folder = folder
        self._out = folder / "out"
        self._moved: list[tuple[Path, Path]] = []
        self._phones = count(13_800_000_000)

    def outgoing(self, attempt: str, message: Message) -> Outgoing:
        """Text a phone of its own for each attempt."""
        text = Text("zh", f"{DRILL_MARK if message.drill else ''}洪水红色预警。回复1确认")
        return Outgoing(attempt, message, "officer", f"+86{next(self._phones)}", (text,))

    async def heard(self, *, drill: bool = False) -> tuple[str, ...]:
        """Read `out/` as a bridge would."""
        files = sorted(self._out.glob("[!.]*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        texts = [json.loads(path.read_text("utf-8")) for path in files]
        return tuple(text["message_id"] for text in texts if text["text"].startswith(DRILL_MARK) == drill)

    async def accept(self) -> None:
        """Put back what was moved away."""
        while self._moved:
            original, kept = self._moved.pop()
            if original.is_file():
                original.unlink()
            kept.rename(original)

    async def refuse(self) -> None:
        """Put a file where the folder was, so that every writing is refused, to root too."""
        self._move(self._out)
        self._out.write_text("")

    async def hang(self) -> None:
        """Fail: a folder on a disk that works cannot hang; `test_spool_out` hangs single files."""
        raise AssertionError("this other side cannot hang")

    async def die(self) -> None:
        """Unmount the disk."""
        self._move(self._folder)

    async def give_receipt(self, outgoing: Outgoing) -> None:
        """Report the text as delivered."""
        put_letter(self._folder, f"{outgoing.attempt}-dlr", {"attempt": outgoing.attempt, "status": "delivered"})

    def _move(self, path: Path) -> None:
        kept = path.with_name(f"{path.name}-kept")
        path.rename(kept)
        self._moved.append((path, kept))


def put_letter(spool: Path, name: str, document: dict[str, Any] | bytes) -> Path:
    """Put a file into `in/` as a bridge does: whole under another name, then renamed."""
    path = spool / "in" / f"{name}.json"
    begun = path.with_suffix(".tmp")
    begun.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return begun.rename(path)
