"""Which attempt each id of the message centre belongs to, part by part. Bounded; with a file, it outlives a restart.

A text of one part needs no book: its id is the attempt's reference, which the ledger keeps. A longer one has an id for each part, and
the ledger keeps one reference for an attempt; without its place, a part's receipt would prove the whole text, so it proves nothing.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

KEPT_MAX = 200_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """Part `part` of `parts` (both from 1) of an attempt."""

    attempt: str
    part: int
    parts: int


class Book:
    """The ids of the newest `kept_max` parts.

    Args:
        file: Where the parts of long texts are kept, or None. Written without waiting for the disk: what a loss of power takes from
            its end costs a repetition, never a false proof.
    """

    def __init__(self, file: Path | None, *, kept_max: int = KEPT_MAX) -> None:
        self._file = file
        self._kept_max = kept_max
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lines = 0
        self._complaint = ""
        if file is not None:
            self._read(file)

    def note(self, message_id: str, entry: Entry) -> None:
        """Keep an id; a newer text with the same one takes its place."""
        self._keep(message_id, entry)
        if self._file is not None and entry.parts > 1:
            self._append(self._file, message_id, entry)

    def find(self, message_id: str) -> Entry | None:
        """Return whose id it is, or None."""
        return self._entries.get(message_id)

    def _keep(self, message_id: str, entry: Entry) -> None:
        self._entries[message_id] = entry
        self._entries.move_to_end(message_id)
        if len(self._entries) > self._kept_max:
            self._entries.popitem(last=False)

    def _read(self, file: Path) -> None:
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            _log.error("smpp_parts_file_unreadable", cause=str(error))
            return
        for line in lines:
            match _parsed(line):
                case [str() as message_id, str() as attempt, int() as part, int() as parts]:
                    self._keep(message_id, Entry(attempt, part, parts))
        self._lines = len(lines)
        if self._lines > len(self._entries):
            self._rewrite(file)

    def _append(self, file: Path, message_id: str, entry: Entry) -> None:
        try:
            with file.open("a", encoding="utf-8") as open_file:
                open_file.write(_line(message_id, entry))
        except OSError as error:
            self._complain(error)
            return
        self._complaint = ""
        self._lines += 1
        if self._lines > 2 * self._kept_max:
            self._rewrite(file)

    def _rewrite(self, file: Path) -> None:
        """Write it anew without what is no longer kept; whole under another name, then renamed."""
        begun = file.with_name(f"{file.name}.tmp")
        kept = [(message_id, entry) for message_id, entry in self._entries.items() if entry.parts > 1]
        try:
            begun.write_text("".join(_line(*each) for each in kept), "utf-8")
            begun.replace(file)
        except OSError as error:
            self._complain(error)
            return
        self._lines = len(kept)

    def _complain(self, error: OSError) -> None:
        """Tell why the file is not written: once, not for every part of every text."""
        if self._complaint != str(error):
            _log.error("smpp_parts_file_not_written", cause=str(error))
        self._complaint = str(error)


def _line(message_id: str, entry: Entry) -> str:
    return json.dumps([message_id, entry.attempt, entry.part, entry.parts]) + "\n"


def _parsed(line: str) -> Any:
    """Return what a line holds; None for half a line, which a loss of power may leave at the end."""
    try:
        return json.loads(line)
    except ValueError:
        return None
