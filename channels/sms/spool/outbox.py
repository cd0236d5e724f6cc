"""`out/` of a spool: one file per attempt, whole or not there at all. Nothing that stands there under its name is ever changed or removed.

Synchronous: a folder may lie on a disk that hangs, so all of this runs in the spool's own threads.
"""

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from channels.sms.spool.letter import ATTEMPT
from warnd.channel import NOT_STARTED, Accepted, Failed, Outcome, Outgoing, Unknown

_LEFTOVER = ".*.tmp"


class Outbox:
    """The files for the gateway.

    Args:
        folder: `out/` itself.
        monotonic: The clock's, for `Outgoing.start_by`.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float]) -> None:
        self._refusal: str | None = None  # Why the last file could not be written.
        self._folder = folder
        self._monotonic = monotonic

    def open(self) -> None:
        """Create the folder if it is missing; clear what an earlier life had begun to write and never named.

        Raises:
            OSError: The folder cannot be made or read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for begun in self._folder.glob(_LEFTOVER):
            begun.unlink(missing_ok=True)

    def put(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Write a batch; one outcome each, in order. What is accepted is on the disk, its name too."""
        outcomes = [self._put_one(outgoing) for outgoing in batch]
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            try:
                _sync(self._folder)
            except OSError as error:
                self._refusal = cause(error, self._folder)
                doubt = Unknown(self._refusal)
                return [doubt if isinstance(outcome, Accepted) else outcome for outcome in outcomes]
        return outcomes

    def find(self, attempt: str) -> Outcome:
        """Say whether the attempt's file is there."""
        name = _name(attempt)
        if name is None:
            return Failed("not in the spool")
        try:
            (self._folder / name).lstat()
        except FileNotFoundError:
            return Failed("not in the spool") if self._folder.is_dir() else Unknown(f"{self._folder} is missing")
        except OSError as error:
            return Unknown(cause(error, self._folder))
        return Accepted(reference=name)

    def trouble(self) -> str | None:
        """Return why nothing can be written there, or None; after a refusal it tries, for a full disk looks like any other."""
        if not self._folder.is_dir():
            return f"{self._folder} is missing"
        if not os.access(self._folder, os.W_OK | os.X_OK):
            return f"{self._folder} may not be written to"
        if self._refusal:
            self._refusal = self._probe()
        return self._refusal

    def _probe(self) -> str | None:
        trial = self._folder / ".trial.tmp"
        try:
            _write(trial, b"{}")
            trial.unlink()
        except OSError as error:
            _discard(trial)
            return cause(error, self._folder)
        return None

    def _put_one(self, outgoing: Outgoing) -> Outcome:
        name = _name(outgoing.attempt)
        if name is None:
            return Failed("attempt id is no file name", retry="permanent")
        if not outgoing.address.strip():
            return Failed("no phone number", retry="permanent")
        final, begun = self._folder / name, self._folder / f".{name}.tmp"
        try:
            if final.exists():  # Written by a life that ended before it could say so.
                return Accepted(reference=name)
            _write(begun, _document(outgoing))
            if self._monotonic() > outgoing.start_by:
                begun.unlink()
                return NOT_STARTED
            begun.rename(final)
        except OSError as error:
            _discard(begun)
            self._refusal = cause(error, self._folder)
            return Failed(self._refusal)
        self._refusal = None
        return Accepted(reference=name)


def cause(error: OSError, folder: Path) -> str:
    """Return what the system said, by its stable name, and where."""
    code = errno.errorcode.get(error.errno or 0, "EIO")
    return f"{code} {error.strerror or error}: {folder}"


def _name(attempt: str) -> str | None:
    return f"{attempt}.json" if ATTEMPT.fullmatch(attempt) else None


def _document(outgoing: Outgoing) -> bytes:
    text = outgoing.texts[0]
    document = {
        "attempt": outgoing.attempt,
        "to": outgoing.address,
        "text": text.text,
        "segments": text.segments,
        "message_id": outgoing.message.id,
        "recipient": outgoing.recipient,
        "kind": outgoing.message.kind,
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a loss of power; a file's own fsync does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # The folder is in trouble already, which is what the caller reports; `open` clears this one later.
