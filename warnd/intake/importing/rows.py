"""Rows of a file, whichever of the two formats it is in."""

from collections.abc import Iterator
from pathlib import Path

from warnd.intake.importing.csvfile import read_csv
from warnd.intake.importing.encoding import find_encoding
from warnd.intake.importing.geojson import read_geojson
from warnd.intake.importing.header import Header
from warnd.intake.importing.problem import Problem, Problems, Unreadable
from warnd.intake.importing.row import Row
from warnd.intake.importing.summary import Progress

_GEOJSON = (".geojson", ".json")


def read_rows(path: Path, *, header: Header, problems: Problems, progress: Progress) -> Iterator[Row]:
    """Yield the rows of a CSV or GeoJSON file (by its name).

    Raises:
        OSError: The file cannot be opened.
        Unreadable: It cannot be read, or not from some line on.
    """
    size = path.stat().st_size
    read = read_geojson if path.suffix.casefold() in _GEOJSON else read_csv
    count = 0
    for row in read(path, header=header, problems=problems, read=lambda done: progress("reading", done, size)):
        count += 1
        yield row
    if not count and not problems:
        raise Unreadable(line=1, cause="the file holds no rows", fix=f"Columns: {header.known}.")


def other_encoding(path: Path, notes: Problems) -> None:
    """Note it if the file was not read as UTF-8: a wrong guess would show in the names."""
    if find_encoding(path) == "gb18030":
        notes.add(
            Problem(1, None, None, "the file was read as GB18030, not UTF-8", "Check a few names in the directory.")
        )
