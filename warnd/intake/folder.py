"""The watched folder: another system puts approved CAP files there. Each is read once it is whole, and moved with the answer beside it.

`<folder>/*.xml` come in; `done/`, `held/` and `refused/` receive them, with `<name>.reasons.txt` where there is something to say. A file is
whole when its size and time have not changed between two looks and it has its end; one without an end is judged when nobody has added to it
for some seconds. Writers who rename a finished file into the folder are read at the next look.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from warnd.clock import Clock
from warnd.intake import shelf
from warnd.intake.desk import Desk
from warnd.intake.shelf import Look
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
_NO_FILE = "It is no ordinary file (a link, folder, pipe or device). Put the CAP file itself here.\n"
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
class _Seen:
    """A file as it has looked since a moment of the monotonic clock."""

    look: Look
    since: float


class WatchedFolder:
    """Brings files to the desk, one after the other; a bad one never blocks the next."""

    def __init__(self, folder: Path, desk: Desk, clock: Clock) -> None:
        self._folder = folder
        self._desk = desk
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._trouble: str | None = None
        self._failed: dict[str, str] = {}  # File -> why it could not be brought in.

    def problem(self) -> str | None:
        """Return why the folder, or a file in it, cannot be served right now, or None."""
        return self._trouble or next(iter(self._failed.values()), None)

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
                self._failed.pop(path.name, None)
            except Exception as error:  # noqa: BLE001 - the edge: whatever is wrong with one file, it stays and the next is taken
                self._complain_of(path, error)

    def _complain(self, error: Exception) -> None:
        trouble = (
            f"The watched folder {self._folder} cannot be served: {error}. Correct the folder, its rights or its disk."
        )
        if trouble != self._trouble:
            log.error("watched_folder", path=str(self._folder), error=str(error))
        self._trouble = trouble

    def _complain_of(self, path: Path, error: Exception) -> None:
        """Say once what is wrong with a file; it is tried again at every look, after those with which nothing is."""
        trouble = (
            f"The file {path.name!a} in {self._folder} cannot be taken: {error!r}. Correct its rights, or take it away."
        )
        if self._failed.get(path.name) != trouble:
            log.error("watched_file", path=ascii(str(path)), error=repr(error))
        self._failed[path.name] = trouble

    def _whole(self) -> list[Path]:
        """Return files, oldest first, that look the same as at the last look; make the folders if they are missing."""
        for name in ("done", "held", "refused"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        looks = shelf.looks(self._folder)
        now = self._clock.monotonic()
        known = {
            name: self._seen[name]
            for name, look in looks.items()
            if name in self._seen and self._seen[name].look == look
        }
        self._seen = {name: known.get(name, _Seen(look, now)) for name, look in looks.items()}
        ready = list(known)
        self._failed = {name: why for name, why in self._failed.items() if name in looks}
        ready.sort(key=lambda name: (name in self._failed, looks[name].mtime_ns, name))
        return [self._folder / name for name in ready[:_PER_LOOK]]

    async def _bring_in(self, path: Path) -> None:
        seen = self._seen[path.name]
        if not seen.look.regular:
            await self._file(path, seen.look, "refused", told=_NO_FILE)
            log.warning("watched_file_put_aside", path=ascii(str(path)), reason=_NO_FILE.strip())
            return
        document = await asyncio.to_thread(shelf.read, path, seen.look)
        stood_s = self._clock.monotonic() - seen.since
        if document is None or (stood_s < _STALLED_S and _is_cut_off(document)):
            return  # The rest of it may still be on its way.
        submission = await self._desk.submit(document, by=_WHO)
        told = _told(submission) if submission.reasons or submission.fate not in {Fate.RELEASED, Fate.SAME} else None
        await self._file(path, seen.look, _FOLDER_OF.get(submission.fate, "refused"), told=told)
        log.info("file_taken", file=path.name, fate=submission.fate, warning_id=submission.warning_id)

    async def _file(self, path: Path, look: Look, place: str, *, told: str | None) -> None:
        await asyncio.to_thread(shelf.file_away, path, look, folder=self._folder / place, told=told)
        self._seen.pop(path.name, None)


def _is_cut_off(document: bytes) -> bool:
    return len(document) <= MAX_BYTES and not _END.search(document[-_TAIL:])


def _told(submission: Submission) -> str:
    head = f"{submission.fate}: warning {submission.warning_id or '(not stored)'}\n"
    return head + "".join(_line(reason) for reason in submission.reasons)


def _line(reason: Reason) -> str:
    return f"[{reason.verdict}] {reason.code} at {reason.element or 'the document'}: {reason.cause}. {reason.fix}\n"
