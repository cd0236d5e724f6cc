"""Strict reading of the protocol's JSON: integers only, no key twice, every field of the type the contract gives it.

Keys that the contract does not name are let through unread, because it allows others to add keys.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NoReturn, TypeVar

DOCUMENT_MAX_BYTES: Final = 16 * 1024
INTEGER_MAX: Final = 2**53 - 1  # What every JSON reader keeps exactly (RFC 8259 §6).

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|[+-]00:00)", re.ASCII
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_LEVEL_OF_TOPIC = re.compile(r"[^\s/+#\x00-\x1f\x7f]{1,128}")

Word = TypeVar("Word", bound=StrEnum)


class FormatError(ValueError):
    """A field or document breaks the format; the text says which and how."""


def read_object(text: str | bytes) -> dict[str, object]:
    """Return the JSON object in `text`.

    Raises:
        FormatError: Not UTF-8, not JSON, no object, too long, too deep, a key twice, or a number that is no integer.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > DOCUMENT_MAX_BYTES:
        raise FormatError(f"{size} bytes, more than {DOCUMENT_MAX_BYTES}")
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        found = json.loads(decoded, object_pairs_hook=_no_key_twice, parse_float=_no_float, parse_constant=_no_float)
        json.dumps(found, ensure_ascii=False).encode(
            "utf-8"
        )  # Escaped half surrogates pass the reader and cannot be kept.
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON in UTF-8 ({error})") from error
    if not isinstance(found, dict):
        raise FormatError("not a JSON object")
    return found


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FormatError("a key stands twice in one object")
    return found


def _no_float(number: str) -> NoReturn:
    raise FormatError(f"{number[:40]} is not an integer")


def time_text(moment: datetime) -> str:
    """Return RFC 3339 UTC with `Z`, with a fraction only where there is one.

    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be written to the wire")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Return aware UTC, to the microsecond (further digits are cut off).

    Raises:
        FormatError: Not RFC 3339 in UTC.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise FormatError(f"{text[:40]!r} is not RFC 3339 UTC (2026-05-01T08:00:00Z)")
    day, second, fraction = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{second}").replace(tzinfo=UTC)
    except ValueError as error:
        raise FormatError(f"{text!r} is no date and time ({error})") from error
    return moment.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))


class Fields:
    """One JSON object being read; every getter raises `FormatError` with the field's name.

    A missing field is read as null, because the contract gives every absent value as null.
    """

    def __init__(self, found: Mapping[str, object], path: str = "") -> None:
        self._found = found
        self._path = path

    def integer(self, name: str, *, low: int = 0, high: int = INTEGER_MAX) -> int:
        """Return an integer in `low`..`high`; true and false are none."""
        found = self.integer_or_none(name, low=low, high=high)
        return self._present(name, found)

    def integer_or_none(self, name: str, *, low: int = 0, high: int = INTEGER_MAX) -> int | None:
        """Return an integer in `low`..`high`, or None."""
        found = self._found.get(name)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            raise self.wrong(name, "an integer")
        if not low <= found <= high:
            raise self.wrong(name, f"from {low} to {high}")
        return found

    def boolean(self, name: str) -> bool:
        """Return true or false."""
        found = self._found.get(name)
        if not isinstance(found, bool):
            raise self.wrong(name, "true or false")
        return found

    def text(self, name: str) -> str:
        """Return a string, which may be empty."""
        return self._present(name, self.text_or_none(name))

    def text_or_none(self, name: str) -> str | None:
        """Return a string, which may be empty, or None."""
        found = self._found.get(name)
        if found is not None and not isinstance(found, str):
            raise self.wrong(name, "a string")
        return found

    def label(self, name: str) -> str:
        """Return a string that can be one level of a topic: 1..128 characters, no white space, `/`, `+`, `#`."""
        return self._present(name, self.label_or_none(name))

    def label_or_none(self, name: str) -> str | None:
        """Return a string that can be one level of a topic, or None."""
        found = self.text_or_none(name)
        if found is not None and not is_label(found):
            raise self.wrong(name, "1 to 128 characters without white space, '/', '+' and '#'")
        return found

    def message_id(self, name: str) -> str | None:
        """Return an id as DESIGN §4 writes them, `[A-Za-z0-9_-]{1,40}`, or None."""
        found = self.text_or_none(name)
        if found is not None and not _ID.fullmatch(found):
            raise self.wrong(name, "1 to 40 of A-Z a-z 0-9 _ -")
        return found

    def word(self, name: str, among: type[Word]) -> Word:
        """Return one word of a closed list."""
        return self._present(name, self.word_or_none(name, among))

    def word_or_none(self, name: str, among: type[Word]) -> Word | None:
        """Return one word of a closed list, or None."""
        found = self.text_or_none(name)
        if found is None:
            return None
        try:
            return among(found)
        except ValueError as error:
            raise self.wrong(name, " | ".join(among)) from error

    def time(self, name: str) -> datetime:
        """Return aware UTC."""
        return self._present(name, self.time_or_none(name))

    def time_or_none(self, name: str) -> datetime | None:
        """Return aware UTC, or None."""
        found = self.text_or_none(name)
        return None if found is None else self.convert(name, found, parse_time)

    def objects(self, name: str, *, most: int) -> "list[Fields]":
        """Return the objects of a list; a missing list is empty."""
        found = self._found.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or len(found) > most or not all(isinstance(one, dict) for one in found):
            raise self.wrong(name, f"a list of at most {most} objects")
        return [Fields(one, f"{self._path}{name}[{place}].") for place, one in enumerate(found, start=1)]

    def object_or_none(self, name: str) -> "Fields | None":
        """Return an object, or None."""
        found = self._found.get(name)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise self.wrong(name, "an object or null")
        return Fields(found, f"{self._path}{name}.")

    def labels_or_none(self, name: str) -> tuple[str, ...] | None:
        """Return a list of strings that can each be one level of a topic, or None."""
        found = self._found.get(name)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(one, str) and is_label(one) for one in found):
            raise self.wrong(name, "null or a list of codes")
        return tuple(found)

    def scalar_or_none(self, name: str) -> str | int | None:
        """Return a string, an integer, true or false, or None."""
        found = self._found.get(name)
        if found is not None and not isinstance(found, str | int):
            raise self.wrong(name, "a string, an integer, true, false or null")
        return found

    def convert(self, name: str, found: str, reader: Callable[[str], datetime]) -> datetime:
        """Return what `reader` makes of a field, naming the field if it cannot."""
        try:
            return reader(found)
        except FormatError as error:
            raise FormatError(f"{self._path}{name}: {error}") from error

    def _present(self, name: str, found: "Found | None") -> "Found":
        if found is None:
            raise FormatError(f"{self._path}{name} is missing or null")
        return found

    def wrong(self, name: str, expected: str) -> FormatError:
        """Return the error that says what a field is and what it should be."""
        shown = str(self._found.get(name))[:60]
        return FormatError(f"{self._path}{name} is {shown!r}, not {expected}")


Found = TypeVar("Found")


def is_label(text: str) -> bool:
    """Return whether `text` can be one level of an MQTT topic, a terminal's id or a region's code."""
    return _LEVEL_OF_TOPIC.fullmatch(text) is not None
