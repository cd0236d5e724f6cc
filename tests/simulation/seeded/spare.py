"""Spares a scenario the looks that cannot find anything: lanes, planner and clockwork take dozens in each simulated second.

Each is answered here only where the tables, read by the driver alone, cannot let it find anything, or where it was taken before and neither
a write nor a time that stands in the store has come since. In all other cases the daemon's own look is taken.
"""

from collections.abc import Mapping
from typing import Any

NEVER = 2**62
_NEXT_TIME = (
    "SELECT min(at) FROM (SELECT min(due_at) AS at FROM leg WHERE due_at > :now AND state = 'waiting' "
    "UNION ALL SELECT min(lease_until) FROM leg WHERE lease_until > :now AND state = 'submitting' "
    "UNION ALL SELECT min(expires_at) FROM message WHERE expires_at > :now AND closed_as IS NULL "
    "UNION ALL SELECT min(expires) FROM warning WHERE expires > :now "
    "UNION ALL SELECT min(due_by) FROM delivery WHERE due_by > :now AND breached_at IS NULL)"
)
_DUE = "SELECT lane, min(due_at) FROM leg WHERE state = 'due' GROUP BY lane"
_UNPLANNED = "SELECT EXISTS (SELECT 1 FROM message WHERE closed_as IS NULL AND stage <> 'planned')"
_SEEN = "SELECT min(seen_at) FROM worker WHERE writer <> :writer"
_UNKNOWN: Any = object()


class Spare:
    """What looks at one store would find."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._found: dict[Any, Any] = {}
        self._quiet: tuple[int, int] = (0, 0)
        self._due: dict[str, int] | None = None
        self._unplanned: bool | None = None

    def changed(self) -> None:
        """Forget all of it: something was written."""
        self._found.clear()
        self._quiet, self._due, self._unplanned = (0, 0), None, None

    def answer(self, look: str, told: Mapping[str, Any]) -> Any:
        """Return what this look would find; `NotImplemented` where it must be taken."""
        found = _UNKNOWN
        if look == "due_lanes":
            due = self._due_lanes()
            found = _UNKNOWN if any(due.get(one, NEVER) <= told["now_ms"] for one in told["lanes"]) else frozenset()
        elif look == "planner._called_for":
            found = _UNKNOWN if self._anything_to_plan() else False
        elif look == "clockwork._called_for":
            found = self._clockwork(told["stamp"], told["silent_before_ms"])
        elif look == "since":
            found = self._found.get(("since", told["after"]), _UNKNOWN)
        return NotImplemented if found is _UNKNOWN else found

    def keep(self, look: str, told: Mapping[str, Any], found: Any) -> None:
        """Keep what a look found that was taken after all."""
        if look == "since":
            self._found["since", told["after"]] = found
        elif look == "clockwork._called_for" and not found:
            now = told["stamp"].now_ms
            after = self._raw.execute(_NEXT_TIME, {"now": now}).fetchone()[0]
            self._quiet = (now, NEVER if after is None else after)

    def _clockwork(self, stamp: Any, silent_before_ms: int | None) -> Any:
        if not self._quiet[0] <= stamp.now_ms < self._quiet[1]:
            return _UNKNOWN
        if silent_before_ms is not None:
            seen = self._raw.execute(_SEEN, {"writer": stamp.writer}).fetchone()[0]
            if seen is not None and seen < silent_before_ms:
                return _UNKNOWN
        return False

    def _due_lanes(self) -> dict[str, int]:
        if self._due is None:
            self._due = dict(self._raw.execute(_DUE))
        return self._due

    def _anything_to_plan(self) -> bool:
        if self._unplanned is None:
            self._unplanned = bool(self._raw.execute(_UNPLANNED).fetchone()[0])
        return self._unplanned
