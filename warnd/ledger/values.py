"""How values stand in the ledger: times as integer milliseconds since 1970 UTC, JSON as canonical text."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Text, TextClause, bindparam, text
from sqlalchemy.types import NullType, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_MS = timedelta(milliseconds=1)
_KINDS: Mapping[type, TypeEngine[Any]] = {int: BigInteger(), str: Text(), tuple: NullType()}


def to_ms(at: datetime) -> int:
    """Return whole milliseconds since 1970 UTC of an aware time; fractions of a millisecond are cut off."""
    return (at - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """Return the aware UTC time of milliseconds since 1970."""
    return _EPOCH + ms * _MS


def maybe_ms(at: datetime | None) -> int | None:
    """Like `to_ms`; None stays None."""
    return None if at is None else to_ms(at)


def maybe_time(ms: int | None) -> datetime | None:
    """Like `from_ms`; None stays None."""
    return None if ms is None else from_ms(ms)


def dumps(value: Mapping[str, Any] | list[Any] | tuple[Any, ...]) -> str:
    """Return JSON in one form only: sorted keys, no spaces, Unicode as it is. Equal values give equal bytes, which hashes rely on."""
    return _CANONICAL.encode(value)


def many(statement: str, *names: str, of: type[int | str | tuple[object, ...]] = int) -> TextClause:
    """Return a statement in which each `IN :name` takes a list of any length whose values are `of` this kind; tuples: of one at least.

    PostgreSQL compares an empty list, too, only with what is of its kind.
    """
    return text(statement).bindparams(*(bindparam(name, expanding=True, type_=_KINDS[of]) for name in names))
