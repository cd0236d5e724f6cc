"""Why a village is not confirmed: one word each, by the rule of DESIGN §13. Pure; the ledger's views collect the facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from warnd.model.plan import VillageRule

Unheard = Literal[
    "no_terminal", "offline", "refused", "amplifier", "not_played", "no_officer", "officer_silent", "pending"
]
TerminalBlock = Literal["offline", "refused", "amplifier", "not_played"]

PENDING = timedelta(seconds=60)  # How long a command or text counts as under way.
_WEAKEST_FIRST: tuple[TerminalBlock, ...] = ("offline", "refused", "amplifier", "not_played")
_REFUSALS = frozenset(
    {
        "bad_signature",
        "unknown_key",
        "replayed",
        "expired",
        "not_for_me",
        "drill_on_live",
        "superseded",
        "busy",
        "higher_priority",
    }
)


@dataclass(frozen=True, slots=True)
class Setback:
    """The newest receipt by which a terminal said that it did not play this message as it should.

    Attributes:
        reason: The terminal's own word (DESIGN §9); "amplifier" also for a whole pass played with the amplifier at fault.
        at: When the receipt reached us: a terminal's own clock may be wrong.
    """

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TerminalFacts:
    """One terminal of the village.

    Attributes:
        online: By its heartbeats, not only by its own word.
        quiet_since: When it was last heard of, or went offline; None = never heard of.
        setback: None if it has not complained about this message.
    """

    id: str
    online: bool
    quiet_since: datetime | None = None
    setback: Setback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VillageFacts:
    """What is known of one unconfirmed village and one message.

    Attributes:
        has_officer: False if nobody who can be reached holds the seat.
        terminals: Those of the village itself; one registered above it confirms nothing.
    """

    rule: VillageRule
    released_at: datetime
    played_at: datetime | None
    answered_at: datetime | None
    has_officer: bool
    terminals: tuple[TerminalFacts, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """The reason that is named, since when it holds, and the terminal's own word where it gave one."""

    reason: Unheard
    since: datetime
    detail: str | None = None


def reason(facts: VillageFacts, *, now: datetime) -> Why:
    """Return why the village is not confirmed: the first reason that holds and blocks its rule.

    What is plain at once is named at once. Silence that can still end (`not_played`, `officer_silent`) is `pending` for the
    first minute after release.
    """
    under_way = now - facts.released_at < PENDING
    for why in _blocks(facts):
        if not (under_way and why.reason in ("not_played", "officer_silent")):
            return why
    return Why("pending", facts.released_at)


def _blocks(facts: VillageFacts) -> tuple[Why, ...]:
    """Return what blocks the rule, in the order of §13."""
    if not facts.terminals:
        bare = facts.rule.bare == "officer"
        return (_officer(facts),) if bare else (Why("no_terminal", facts.released_at),)
    if facts.rule.terminal == "either":
        return (_terminals(facts),)  # The officer's answer would do as well, but the order puts the loudspeaker first.
    played = () if facts.played_at else (_terminals(facts),)
    answered = () if facts.answered_at else (_officer(facts),)
    return (*played, *answered)


def _officer(facts: VillageFacts) -> Why:
    return Why("officer_silent" if facts.has_officer else "no_officer", facts.released_at)


def _terminals(facts: VillageFacts) -> Why:
    """Return what keeps the best of the village's terminals from having played."""
    each = [_terminal(terminal, facts.released_at) for terminal in facts.terminals]
    return max(each, key=lambda found: _WEAKEST_FIRST.index(found[0]))[1]


def _terminal(terminal: TerminalFacts, released_at: datetime) -> tuple[TerminalBlock, Why]:
    setback = terminal.setback
    if not terminal.online:
        return "offline", Why("offline", terminal.quiet_since or released_at, setback.reason if setback else None)
    if setback is None:
        return "not_played", Why("not_played", released_at)
    word: TerminalBlock = "not_played"
    if setback.reason in _REFUSALS:
        word = "refused"
    elif setback.reason == "amplifier":
        word = "amplifier"
    return word, Why(word, setback.at, setback.reason)
