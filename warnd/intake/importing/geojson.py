"""Reads a GeoJSON FeatureCollection (RFC 7946) feature by feature: a file of any length in bounded memory."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Never, TextIO

from warnd.intake.importing.encoding import find_encoding
from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problem, Problems, Unreadable
from warnd.intake.importing.row import Row
from warnd.model.reason import shorten

_BLOCK = 1 << 20
_VALUE_MAX = 64 << 20  # Characters of one feature: a coastline of a million points has half.
_SPACE = " \t\r\n"
_WGS84 = ("CRS84", "4326")
_FIX = "Write a GeoJSON FeatureCollection (RFC 7946)."


class _NoFeatureError(Exception):
    """What stands where a feature should; the text is the cause."""


def read_geojson(path: Path, *, header: Header, problems: Problems, read: Callable[[int], None]) -> Iterator[Row]:
    """Yield the features; those that are none become problems.

    Args:
        path: The file.
        header: Which properties there may be.
        problems: Where faults go.
        read: Told now and then how many bytes have been read.

    Raises:
        OSError: The file cannot be read.
        Unreadable: It is not such a file, or not from some line on.
    """
    with path.open(encoding=find_encoding(path)) as file:
        text = _Text(file, read)
        text.expect("{")
        kind = None
        for name in text.members():
            if name == "features":
                yield from _features(text, header=header, problems=problems)
                continue
            value = text.value()
            kind = value if name == "type" else kind
            if name == "crs" and not any(each in str(value) for each in _WGS84):
                raise text.unreadable(f"coordinates are in {shorten(str(value))}", "Convert them to WGS 84 degrees.")
        if text.more():
            raise text.unreadable("there is something behind the last bracket")
        if kind != "FeatureCollection":
            raise Unreadable(line=1, cause=f"the type is {shorten(str(kind))}, not FeatureCollection", fix=_FIX)


def _features(text: "_Text", *, header: Header, problems: Problems) -> Iterator[Row]:
    strange: set[str] = set()
    for number, (line, value) in enumerate(text.items(), 1):
        try:
            row = _row(line, number, value)
        except _NoFeatureError as error:
            problems.add(Problem(line, number, None, str(error), _FIX))
            continue
        unknown = {name for name in row.values if not header.knows(name)} - strange
        for name in sorted(unknown):  # Each once: every feature has the same ones.
            problems.add(Problem(line, number, shorten(name), "is no known property", f"Known: {header.known}."))
        strange |= unknown
        yield row


def _row(line: int, number: int, value: Any) -> Row:
    if not isinstance(value, dict) or value.get("type") != "Feature":
        raise _NoFeatureError("is no Feature")
    properties = value.get("properties")
    if not isinstance(properties, dict):
        raise _NoFeatureError("has no properties")
    return Row(
        line, number, {name.strip(): _text(name, each) for name, each in properties.items()}, value.get("geometry")
    )


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _NoFeatureError(f"property '{shorten(name)}' is neither text nor a number")
    return (repr(value) if isinstance(value, float) else str(value)).strip()


class _Text:
    """A JSON text of which only a window is in memory."""

    def __init__(self, file: TextIO, read: Callable[[int], None]) -> None:
        self._file = file
        self._read = read
        self._window = ""
        self._at = 0
        self._counted = 0
        self._line = 1
        self._decoder = json.JSONDecoder(parse_constant=self._no_number)

    def unreadable(self, cause: str, fix: str = _FIX) -> Unreadable:
        """Return the complaint about where reading stands."""
        return Unreadable(line=self.line(), cause=cause, fix=fix)

    def more(self) -> bool:
        """Say whether anything but space is left."""
        return bool(self._peek())

    def line(self) -> int:
        """Return the line where reading stands, from 1."""
        self._line += self._window.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def expect(self, sign: str) -> None:
        """Step over a sign that must come next."""
        if self._peek() != sign:
            found = f"'{self._peek()}'" if self._peek() else "the end of the file"
            raise self.unreadable(f"this is no GeoJSON: found {found} instead of '{sign}'")
        self._at += 1

    def members(self) -> Iterator[str]:
        """Yield the names of an object's members; whoever asks reads the value before asking again."""
        for _ in self._parts("}"):
            name = self.value()
            if not isinstance(name, str):
                raise self.unreadable("this is no GeoJSON: a member has no name")
            self.expect(":")
            yield name

    def items(self) -> Iterator[tuple[int, Any]]:
        """Yield (line, value) of an array's items."""
        self.expect("[")
        for _ in self._parts("]"):
            self._peek()  # The line is where the item begins, behind the space.
            line = self.line()
            yield line, self.value()

    def value(self) -> Any:
        """Return the value that comes next."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except RecursionError:
                raise self.unreadable("the text is nested too deeply") from None
            except ValueError as error:
                if getattr(error, "pos", self._at) < len(self._window) - _BLOCK // 2 or not self._more():
                    raise self.unreadable(f"this is no JSON: {shorten(str(error))}") from error
                continue
            # A number that ends with the window may go on behind it.
            if end < len(self._window) or not self._more():
                self._at = end
                return value

    def _parts(self, end: str) -> Iterator[None]:
        if self._peek() == end:
            self.expect(end)
            return
        while True:
            yield
            if self._peek() != ",":
                break
            self.expect(",")
        self.expect(end)

    def _peek(self) -> str:
        while True:
            while self._at < len(self._window) and self._window[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on; what has been used is dropped. Return False at the end of the file."""
        self.line()
        rest = self._window[self._at :]
        if len(rest) > _VALUE_MAX:
            raise self.unreadable(f"one feature is longer than {_VALUE_MAX} characters")
        block = self._file.read(max(_BLOCK, len(rest)))  # Growing, so that a long feature is not decoded too often.
        self._window, self._at, self._counted = rest + block, 0, 0
        self._read(self._file.buffer.tell())
        return bool(block)

    def _no_number(self, name: str) -> Never:
        raise self.unreadable(f"{name} is no JSON number")
