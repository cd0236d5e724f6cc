"""The files of a watched folder: which are there, what they say, where they go. Whoever writes there may do so at any moment.

Synchronous: a folder may lie on a disk that hangs, so all of this runs in a thread. It follows no link and waits on no pipe.
"""

import os
import stat
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from warnd.model.cap import MAX_BYTES

_NAME_BYTES_MAX = 200  # Of 255 that file systems allow; leaves room for a number and ".reasons.txt".


@dataclass(frozen=True, slots=True)
class Look:
    """One very file in one state; another one under the same name, or the same one with more in it, is not it."""

    size: int
    mtime_ns: int
    inode: int
    regular: bool


def looks(folder: Path) -> dict[str, Look]:
    """Return everything that calls itself a CAP file, by name; hidden ones are still being written.

    Raises:
        OSError: The folder cannot be read.
    """
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(".xml") and not entry.name.startswith("."):
                try:
                    found[entry.name] = _look(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # Taken away meanwhile.
    return found


def read(path: Path, look: Look) -> bytes | None:
    """Return what a file says, at most one byte more than a warning may have; None if it is no longer as it looked.

    Raises:
        OSError: It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # Its writer took it back, or another worker on this machine was faster.
    with os.fdopen(descriptor, "rb") as file:
        if _look(os.fstat(descriptor)) != look:
            return None
        content = file.read(MAX_BYTES + 1)
        return content if _look(os.fstat(descriptor)) == look else None


def file_away(path: Path, look: Look, *, folder: Path, told: str | None) -> None:
    """Move a file that was read, with what there is to say beside it; nothing that stands there is overwritten.

    A file that was put under its name since goes back: nobody has read it.

    Raises:
        OSError: It cannot be moved.
    """
    target = _free(folder, path.name)
    beside = target.with_name(f"{target.name}.reasons.txt")
    if told is not None:
        beside.write_text(told, encoding="utf-8")
    try:
        path.rename(target)
    except FileNotFoundError:
        if told is not None and not target.exists():
            beside.unlink()
        return
    if _look(target.lstat()) != look:
        target.rename(_free(path.parent, path.name))


def _look(status: os.stat_result) -> Look:
    return Look(status.st_size, status.st_mtime_ns, status.st_ino, regular=stat.S_ISREG(status.st_mode))


def _free(folder: Path, name: str) -> Path:
    """Return a path that nothing has; a long name is cut, a name that is taken gets a number."""
    stem, suffix = Path(name).stem, Path(name).suffix
    short = os.fsdecode(os.fsencode(stem)[: _NAME_BYTES_MAX - len(suffix)])
    paths = (folder / f"{short}{'' if number == 1 else f'.{number}'}{suffix}" for number in count(1))
    return next(path for path in paths if not os.path.lexists(path))
