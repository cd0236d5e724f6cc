"""`in/` of a spool: which files are there, what they say, and where they go. A file leaves only when told, so that none is lost.

Synchronous: a folder may lie on a disk that hangs, so all of this runs in the spool's own threads.
"""

import heapq
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from channels.sms.spool.letter import BYTES_MAX, BadLetterError, read_letter
from warnd.channel import Reply, Report

_NAME_BYTES_MAX = 200  # Of 255 that file systems allow; leaves room for a number and ".reason".


@dataclass(frozen=True, slots=True)
class Found:
    """One very file: another one put under the same name is not it."""

    name: str
    inode: int
    written_ns: int
    size: int
    regular: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A file and what it says; without a receipt, why it was put aside or could not be read."""

    found: Found
    receipt: Report | Reply | None
    fault: str | None = None
    unreadable: bool = False


class Inbox:
    """The files from the gateway.

    Args:
        folder: `in/` itself.
        bad: Where what cannot be used goes, each with `<name>.reason` beside it.
    """

    def __init__(self, folder: Path, bad: Path) -> None:
        self._folder = folder
        self._bad = bad

    def open(self) -> None:
        """Create the folders if they are missing.

        Raises:
            OSError: One cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._bad.mkdir(parents=True, exist_ok=True)

    def find(self, *, most: int, but: Collection[Found]) -> list[Found]:
        """Return up to `most` files, oldest first, without those in `but`.

        Raises:
            OSError: The folder cannot be read.
        """
        with os.scandir(self._folder) as entries:
            files = (found for entry in entries if (found := _look(entry)) is not None and found not in but)
            return heapq.nsmallest(most, files, key=lambda found: (found.written_ns, found.name))

    def read(self, files: Collection[Found]) -> list[Letter]:
        """Return what each says; one that was taken away meanwhile is left out."""
        return [letter for found in files if (letter := self._read(found)) is not None]

    def remove(self, files: Sequence[Found]) -> dict[Found, str]:
        """Take files away whose receipts are committed; return those that cannot be removed and why."""
        stuck = {}
        for found in files:
            try:
                self._remove(found)
            except FileNotFoundError:
                continue
            except OSError as error:
                stuck[found] = str(error)
        return stuck

    def put_aside(self, letter: Letter) -> None:
        """Move a file that says nothing usable to `bad/`, with the reason beside it.

        Raises:
            OSError: It cannot be moved.
        """
        target = self._free(letter.found.name)
        try:
            (self._folder / letter.found.name).rename(target)
        except FileNotFoundError:
            return
        target.with_name(f"{target.name}.reason").write_text(f"{letter.fault}\n", "utf-8")

    def _remove(self, found: Found) -> None:
        """Remove this very file; one that was put under its name meanwhile was not read yet and stays."""
        path = self._folder / found.name
        now = path.lstat()
        if (now.st_ino, now.st_mtime_ns, now.st_size) == (found.inode, found.written_ns, found.size):
            path.unlink()

    def _read(self, found: Found) -> Letter | None:
        if not found.regular:
            return Letter(
                found, None, fault="It is no ordinary file (a link, folder, pipe or device); put a file here."
            )
        try:
            raw = _content(self._folder / found.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Letter(found, None, fault=f"{error.strerror or error}", unreadable=True)
        try:
            return Letter(found, read_letter(raw))
        except BadLetterError as error:
            return Letter(found, None, fault=str(error))

    def _free(self, name: str) -> Path:
        """Return a path in `bad/` that nothing has, so that nothing put aside earlier is lost."""
        short = os.fsdecode(os.fsencode(name)[:_NAME_BYTES_MAX])
        paths = (self._bad / (short if number == 1 else f"{short}.{number}") for number in count(1))
        return next(path for path in paths if not os.path.lexists(path))


def _look(entry: "os.DirEntry[str]") -> Found | None:
    """Return the file, or None for what is still being written under another name, or is gone."""
    if entry.name.startswith(".") or not entry.name.endswith(".json"):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Found(entry.name, status.st_ino, status.st_mtime_ns, status.st_size, regular=stat.S_ISREG(status.st_mode))


def _content(path: Path) -> bytes:
    """Read a file without following a link or waiting on a pipe that took its place, and never more than is allowed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(BYTES_MAX + 1)
