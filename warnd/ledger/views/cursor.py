"""Cursors: where the next page of a listing begins, opaque to whoever holds one."""

import base64
import binascii
import json
from collections.abc import Sequence

Part = str | int
_LONGEST = 1_000


class BadCursor(ValueError):  # noqa: N818 - named for what it is, and callers read it so
    """The cursor is none that this listing gave; ask for the first page again."""


def cursor(*parts: Part) -> str:
    """Return the cursor that `place` reads back."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def place(given: str | None, *, start: Sequence[Part]) -> tuple[Part, ...]:
    """Return what a cursor holds, or `start` for the first page.

    Args:
        given: From a client: anything.
        start: A place before every row; it also says how many parts of which kind a cursor has.

    Raises:
        BadCursor: `given` is not a cursor of this listing.
    """
    if given is None:
        return tuple(start)
    parts = _read(given)
    if not isinstance(parts, list) or [type(part) for part in parts] != [type(part) for part in start]:
        raise BadCursor("the cursor is none of this listing")
    if any(isinstance(part, int) and abs(part) >= 1 << 63 for part in parts):
        raise BadCursor("the cursor is none of this listing")
    return tuple(parts)


def _read(given: str) -> object:
    if len(given) > _LONGEST:
        raise BadCursor("the cursor is longer than any of ours")
    try:
        padded = given.encode("ascii") + b"=" * (-len(given) % 4)
        found: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, UnicodeError, binascii.Error, RecursionError) as error:
        raise BadCursor("the cursor is none of this listing") from error
    return found
