"""Turns what the daemon answered into lines for a person. Text that came from outside is shown, never obeyed."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_EVIDENCE = ("none", "accepted", "delivered", "presented", "acknowledged")
_STATES = ("open", "satisfied", "exhausted", "expired", "withdrawn")
# Control, format (bidi overrides, zero width) and surrogate characters would let a warning's text repaint the operator's screen.
_UNSAFE = {"Cc", "Cf", "Cs"}


def plain(value: object) -> str:
    """Return `value` as one line without characters that could steer a terminal; None and "" become "-"."""
    text = "" if value is None else str(value)
    kept = "".join(" " if unicodedata.category(each) in _UNSAFE else each for each in text)
    return " ".join(kept.split()) or "-"


def reasons(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return each reason (DESIGN §10) as two lines: what and where, then what to do."""
    lines = []
    for reason in found:
        head = f"{plain(reason.get('verdict'))}: {plain(reason.get('cause'))}"
        lines.append(f"  {head} [{plain(reason.get('code'))} at {plain(reason.get('element'))}]")
        lines.append(f"    to do: {plain(reason.get('fix'))}")
    return lines


def moment(value: object) -> str:
    """Return a time of the daemon's (RFC 3339 UTC) to the second, which is what a person reads; anything else as it stands."""
    try:
        return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except ValueError:
        return plain(value)


def named(warning: Mapping[str, Any]) -> str:
    """Return a warning in a few words: level (or that it cancels, and how), event and id."""
    drill = "" if warning.get("status") == "Actual" else f"[{plain(warning.get('status'))}] "
    kind = (
        f"{plain(warning.get('cancel_kind') or 'cancel')} of"
        if warning.get("msg_type") == "Cancel"
        else plain(warning.get("level"))
    )
    return f"{drill}{kind} {plain(warning.get('event'))} ({plain(warning.get('id'))})"


def totals(warning: Mapping[str, Any]) -> list[str]:
    """Return villages, evidence, what came by each channel, deliveries; evidence stands side by side and is never added up."""
    counts = warning.get("totals") or {}
    return [
        f"Villages    {villages(warning)}",
        f"Evidence    {_beside(counts.get('evidence') or {}, _EVIDENCE)}",
        *(
            f"  by {plain(channel):6} {_beside(came, _EVIDENCE[1:])}"
            for channel, came in sorted((counts.get("channels") or {}).items())
        ),
        f"Deliveries  {_beside(counts.get('deliveries') or {}, _STATES)}",
    ]


def villages(warning: Mapping[str, Any]) -> str:
    """Return how many villages are targeted, confirmed and not."""
    counts = (warning.get("totals") or {}).get("villages") or {}
    late = f" ({plain(counts['confirmed_late'])} of them late)" if counts.get("confirmed_late") else ""
    return (
        f"{plain(counts.get('targeted', 0))} targeted | {plain(counts.get('confirmed', 0))} confirmed{late} | "
        f"{plain(counts.get('unconfirmed', 0))} unconfirmed"
    )


def _beside(counts: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return " | ".join(f"{name} {plain(counts.get(name, 0))}" for name in names)
