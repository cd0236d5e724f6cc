"""The state folder of a terminal: small files, each written whole or not at all, and kept in memory while the disk refuses.

It knows file names and texts, never what they mean. A full or worn-out card must not silence a village: a refused write is reported to the
caller, kept, and tried again.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

_log = structlog.get_logger(__name__)


class StateLockedError(OSError):
    """Another terminal runs on the same state folder."""


class Disk:
    """One state folder. Names are relative, like "receipts/live-…-00000001.jws"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsaved: dict[str, str] = {}
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Make the folder and keep every other terminal out of it until this process ends or `close` is called.

        Raises:
            StateLockedError: Another process has it.
            OSError: The folder cannot be made or written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise StateLockedError(
                f"{self.folder}: another terminal runs on this state folder; give each its own"
            ) from error
        self._lock = lock

    def close(self) -> None:
        """Let another terminal have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def refusing(self) -> bool:
        """Whether something is kept in memory only, because the disk did not take it."""
        return bool(self._unsaved)

    def write(self, name: str, text: str) -> bool:
        """Keep `text` under `name`; return whether it is on the disk, to stay there after a power cut."""
        self.retry()
        return self._write(name, text)

    def retry(self) -> None:
        """Try again what the disk refused before."""
        for name, text in list(self._unsaved.items()):
            if not self._write(name, text):
                return

    def _write(self, name: str, text: str) -> bool:
        try:
            _write_whole(self.folder / name, text)
        except OSError as error:
            if not self._unsaved:
                _log.error(
                    "state_not_saved", file=str(self.folder / name), cause=error.strerror, fix="free space on this disk"
                )
            self._unsaved[name] = text
            return False
        self._unsaved.pop(name, None)
        return True

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name; what was never saved is saved under the new one."""
        text = self._unsaved.pop(name, None)
        if text is not None:
            self._write(new_name, text)
            return
        with suppress(OSError):  # Worst case it is found under its old name after a restart and confirmed once more.
            (self.folder / name).rename(self.folder / new_name)

    def remove(self, name: str) -> None:
        """Forget a file."""
        self._unsaved.pop(name, None)
        with suppress(
            OSError
        ):  # A file that comes back after a restart is only old news; losing the loop here would be silence.
            (self.folder / name).unlink(missing_ok=True)

    def read(self, name: str) -> str | None:
        """Return a file's text, or None if there is none or it cannot be read."""
        try:
            return (self.folder / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def texts(self, folder: str, *, suffix: str) -> Iterator[tuple[str, str]]:
        """Yield (name, text) of the readable files of one sub-folder, oldest name first."""
        for path in sorted((self.folder / folder).glob(f"*{suffix}")):
            name = f"{folder}/{path.name}"
            text = self.read(name)
            if text is not None:
                yield name, text

    def set_aside(self, name: str) -> None:
        """Keep a file that makes no sense out of the way, for whoever repairs the terminal."""
        _log.error("state_file_broken", file=str(self.folder / name), kept_as=f"{name}.bad")
        self.rename(name, f"{name}.bad")


def _write_whole(path: Path, text: str) -> None:
    """Write beside it, flush to the device, put it in place: after a power cut the old or the new text stands, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
