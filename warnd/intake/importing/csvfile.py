"""Reads CSV as rows: comma, one header line, any order of columns. Long lines and quotes that never close end the reading early."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from warnd.intake.importing.encoding import find_encoding
from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problem, Problems, Unreadable
from warnd.intake.importing.row import Row

_LINE_MAX = 64 * 1024
_LINES_MAX = 20  # A record over more lines is a quote that was never closed.


def read_csv(path: Path, *, header: Header, problems: Problems, read: Callable[[int], None]) -> Iterator[Row]:
    """Yield the rows; those with a wrong number of fields become problems.

    Args:
        path: The file.
        header: What the first line must and may name.
        problems: Where faults go.
        read: Told now and then how many bytes have been read.

    Raises:
        OSError: The file cannot be read.
        Unreadable: It is not such a file, or not from some line on.
    """
    with path.open(encoding=find_encoding(path), newline="") as file:
        lines = _Lines(file, read)
        records = csv.reader(lines, strict=True)
        try:
            names = _names(records, lines, header=header)
            for fields in records:
                start, lines.start = lines.start, lines.number + 1
                if not fields:
                    continue  # An empty line.
                if len(fields) == len(names):
                    yield Row(start, None, dict(zip(names, map(str.strip, fields), strict=True)))
                elif any(fields):
                    problems.add(_uneven(start, len(fields), len(names)))
        except csv.Error as error:
            raise Unreadable(line=lines.start, cause=f"this is no CSV: {error}", fix=_QUOTES) from error


_QUOTES = 'Put texts with commas or quotes in double quotes, and write a quote inside as "".'


def _names(records: Iterator[list[str]], lines: "_Lines", *, header: Header) -> list[str]:
    fields = next(records, None)
    lines.start = lines.number + 1
    if not fields or not any(fields):
        raise Unreadable(line=1, cause="the first line is empty", fix=f"Begin with a header: {header.example}.")
    if len(fields) == 1 and any(sign in fields[0] for sign in ";\t"):
        raise Unreadable(line=1, cause="the columns are not parted by commas", fix="Save the file as CSV with commas.")
    return header.names([each.strip().casefold() for each in fields])


def _uneven(line: int, found: int, wanted: int) -> Problem:
    return Problem(line, None, None, f"has {found} fields, the header has {wanted}", _QUOTES)


class _Lines:
    """Hands the file to the CSV reader line by line, with a bound, and knows where the current record began."""

    def __init__(self, file: TextIO, read: Callable[[int], None]) -> None:
        self._file = file
        self._read = read
        self.number = 0
        self.start = 1

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_LINE_MAX):
            self.number += 1
            if len(line) == _LINE_MAX:
                raise Unreadable(
                    line=self.number,
                    cause=f"the line is longer than {_LINE_MAX} characters",
                    fix="Check that this is a CSV file.",
                )
            if self.number - self.start >= _LINES_MAX:
                raise Unreadable(line=self.start, cause="a quote opened here is not closed", fix=_QUOTES)
            if self.number % 4096 == 0:
                self._read(self._file.buffer.tell())
            yield line
