"""The watched folder: another system puts approved CAP files there. Each is read once it is whole, and moved with the answer beside it.

`<folder>/*.xml` come in; `done/`, `held/` and `refused/` receive them, with `<name>.reasons.txt` where there is something to say. A file is
whole when its size and time have not changed between two looks and it has its end; one without an end is judged when nobody has added to it
for some seconds. Writers who rename a finished file into the folder are read at the next look.
"""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.clock import Clock
from warnd.intake.desk import Desk
from warnd.model.authority import Principal
from warnd.model.cap import MAX_BYTES
from warnd.model.reason import Reason
from warnd.model.submission import Fate, Submission

_LOOK_S = 0.5
_PER_LOOK = 200
_STALLED_S = (
    5.0  # A copy over a bad line may stand still for a while; a file that is cut off is refused only after this long.
)
_END = re.compile(rb"</(?:[\w.-]+:)?alert\s*>")
_TAIL = 4096
_FOLDER_OF = {
    Fate.RELEASED: "done",
    Fate.IN_REVIEW: "done",
    Fate.SAME: "done",
    Fate.CANCELLED: "done",
    Fate.OVERTAKEN: "done",
    Fate.HELD: "held",
    Fate.QUARANTINED: "held",
}
_WHO = Principal(name="folder", scope="release")  # Whoever may write the folder is the approval (docs/operators.md).

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it has looked since a moment of the monotonic clock."""

    look: _Look
    since: float


class WatchedFolder:
    """Brings files to the desk, one after the other; a bad one never blocks the next."""

    def __init__(self, folder: Path, desk: Desk, clock: Clock) -> None:
        self._folder = folder
        self._desk = desk
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._trouble: str | None = None

    def problem(self) -> str | None:
        """Return why the folder cannot be served right now, or None."""
        return self._trouble

    async def run(self) -> None:
        """Look into the folder twice a second until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(_LOOK_S)

    async def look(self) -> None:
        """Look once: bring in the files that have not changed since the last look."""
        try:
            whole = await asyncio.to_thread(self._whole)
            self._trouble = None
        except OSError as error:
            self._complain(error)
            return
        for path in whole:
            try:
                await self._bring_in(path)
            except (OSError, SQLAlchemyError) as error:  # It stays where it is and is tried again at the next look.
                self._complain(error, path)

    def _complain(self, error: Exception, path: Path | None = None) -> None:
        self._trouble = f"The watched folder {path or self._folder} cannot be served: {error}"
        log.error("watched_folder", path=str(path or self._folder), error=str(error))

    def _whole(self) -> list[Path]:
        """Return files, oldest first, that look the same as at the last look; make the folders if they are missing."""
        for name in ("done", "held", "refused"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        looks: dict[str, _Look] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if (
                    entry.name.lower().endswith(".xml")
                    and not entry.name.startswith(".")
                    and entry.is_file(follow_symlinks=False)
                ):
                    told = entry.stat(follow_symlinks=False)
                    looks[entry.name] = _Look(told.st_size, told.st_mtime_ns, told.st_ino)
        now = self._clock.monotonic()
        known = {
            name: self._seen[name]
            for name, look in looks.items()
            if name in self._seen and self._seen[name].look == look
        }
        self._seen = {name: known.get(name, _Seen(look, now)) for name, look in looks.items()}
        ready = list(known)
        ready.sort(key=lambda name: (looks[name].mtime_ns, name))
        return [self._folder / name for name in ready[:_PER_LOOK]]

    async def _bring_in(self, path: Path) -> None:
        document = await asyncio.to_thread(_read, path)
        stood_s = self._clock.monotonic() - self._seen[path.name].since
        if stood_s < _STALLED_S and len(document) <= MAX_BYTES and not _END.search(document[-_TAIL:]):
            return  # Half of it may still be on its way.
        submission = await self._desk.submit(document, by=_WHO)
        place = _FOLDER_OF.get(submission.fate, "refused")
        await asyncio.to_thread(_file_away, path, self._folder / place, submission)
        self._seen.pop(path.name, None)
        log.info("file_taken", file=path.name, fate=submission.fate, warning_id=submission.warning_id)


def _read(path: Path) -> bytes:
    """Read at most one byte more than a warning may have: enough to refuse it, whatever its size."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _file_away(path: Path, folder: Path, submission: Submission) -> None:
    """Write the reasons, then move the file; a name that is taken gets a number, so that nothing is overwritten."""
    name, number = path.name, 1
    while (folder / name).exists():
        name, number = f"{path.stem}.{number}{path.suffix}", number + 1
    if submission.reasons or submission.fate not in {Fate.RELEASED, Fate.SAME}:
        (folder / f"{name}.reasons.txt").write_text(_told(submission), encoding="utf-8")
    path.rename(folder / name)


def _told(submission: Submission) -> str:
    head = f"{submission.fate}: warning {submission.warning_id or '(not stored)'}\n"
    return head + "".join(_line(reason) for reason in submission.reasons)


def _line(reason: Reason) -> str:
    return f"[{reason.verdict}] {reason.code} at {reason.element or 'the document'}: {reason.cause}. {reason.fix}\n"
