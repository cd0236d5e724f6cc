"""One row of an imported file, whatever its format, and how its fields are read and judged."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from warnd.intake.importing.problem import Problem, Problems
from warnd.model.reason import shorten
from warnd.model.region import stored_code

_CODE = re.compile(r"[\w.-]{1,64}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One line or feature.

    Attributes:
        line: Where it begins, from 1.
        feature: Number of the GeoJSON feature, from 1; None in CSV.
        values: Stripped text by column; a column that is missing reads as "".
        geometry: GeoJSON's, as parsed and unchecked; None in CSV.
    """

    line: int
    feature: int | None
    values: Mapping[str, str]
    geometry: Any = None


class Fields:
    """Reads the fields of one row; every fault is added to `problems`, and `sound` tells whether there was one."""

    def __init__(self, row: Row, problems: Problems) -> None:
        self._row = row
        self._problems = problems
        self.sound = True

    def get(self, column: str) -> str:
        """Return the text as it stands, "" if there is none."""
        return self._row.values.get(column, "")

    def fail(self, column: str | None, cause: str, fix: str) -> None:
        """Add a fault."""
        self.sound = False
        self._problems.add(Problem(self._row.line, self._row.feature, column, cause, fix))

    def text(self, column: str, *, longest: int, needed: bool = False) -> str:
        """Return a text for people to read."""
        value = self.get(column)
        if needed and not value:
            self.fail(column, "is empty", f"Give a {column}.")
        elif len(value) > longest:
            self.fail(column, f"has {len(value)} characters", f"Use at most {longest}.")
        elif _CONTROL.search(value):
            self.fail(column, f"'{shorten(value)}' holds a control character", "Remove it; line breaks too.")
        return value

    def code(self, column: str, *, needed: bool = True) -> str:
        """Return a region code as stored (national ones padded), or ""."""
        value = self.get(column)
        if not value:
            if needed:
                self.fail(column, "is empty", "Give a region code.")
            return ""
        self.judge_code(column, value)
        return stored_code(value)

    def judge_code(self, column: str, value: str) -> None:
        """Add a fault if `value` cannot be a region code."""
        if not _CODE.fullmatch(value):
            self.fail(
                column,
                f"'{shorten(value)}' is no region code",
                "Use 1 to 64 letters, digits, dots, hyphens or underscores; in a spreadsheet, format the column as text.",
            )

    def point(self) -> tuple[float, float] | None:
        """Return (latitude, longitude) in degrees from the columns lat and lon, or None where both are empty."""
        lat_text, lon_text = self.get("lat"), self.get("lon")
        if not lat_text and not lon_text:
            return None
        if not lat_text or not lon_text:
            self.fail(
                "lat" if not lat_text else "lon", "is empty although the other one is not", "Give both or neither."
            )
            return None
        lat, lon = _number(lat_text), _number(lon_text)
        if lat is None or lon is None:
            column, value = ("lat", lat_text) if lat is None else ("lon", lon_text)
            self.fail(column, f"'{shorten(value)}' is no number of degrees", "Write degrees such as 30.2741.")
            return None
        return self._on_earth(lat, lon)

    def _on_earth(self, lat: float, lon: float) -> tuple[float, float] | None:
        if abs(lat) <= 90 and abs(lon) <= 180:  # noqa: PLR2004 - degrees
            return lat, lon
        if abs(lat) <= 180 and abs(lon) <= 90:  # noqa: PLR2004 - degrees
            self.fail(
                "lat", f"{lat:g} is no latitude, lat and lon look swapped", "Put latitude in lat, longitude in lon."
            )
        else:
            column, value, limit = ("lat", lat, 90) if abs(lat) > 90 else ("lon", lon, 180)  # noqa: PLR2004 - degrees
            self.fail(column, f"{value:g} is out of range", f"Use -{limit} to {limit} degrees.")
        return None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
