"""The order of claims as one number: lower goes first.

Cancels before red before blue, live before drills; within a level seats and publications before terminals' own commands before the public;
within those first tries before repeats.
"""

SEATS, TERMINALS, PUBLIC = 0, 1, 2
_REPEAT = 5
_DRILLS = 500  # From here on; their places repeat those of the real thing.
URGENT = f"priority % {_DRILLS} < 100 OR (priority % {_DRILLS} < 300 AND priority % 100 < {PUBLIC * 10})"
"""`is_urgent` as a condition in SQL."""
URGENT_LEVELS = "0, 1, 2, 5, 6, 7"
"""The urgencies of Cancels, red and orange, in SQL."""


def priority(urgency: int, kind: int, *, repeat: bool = False) -> int:
    """Return the priority of a leg: `urgency` 0 cancel, 1–4 level, 5–9 the same in drills; `kind` SEATS, TERMINALS or PUBLIC."""
    return urgency * 100 + kind * 10 + (_REPEAT if repeat else 0)


def all_of(urgency: int) -> list[int]:
    """Return every priority that a message of this urgency can give to a leg, most urgent first."""
    return [priority(urgency, kind, repeat=repeat) for kind in (SEATS, TERMINALS, PUBLIC) for repeat in (False, True)]


def of_audience(kind: str) -> int:
    """Return the kind of an audience as plans name it."""
    return {"seats": SEATS, "terminals": TERMINALS, "public": PUBLIC}[kind]


def lane(channel: str, *, drill: bool) -> str:
    """Return the lane of a channel's legs: drills have their own, so that practice never holds up the real thing."""
    return f"{channel}:drill" if drill else channel


def is_cancel(rank: int) -> bool:
    """Say whether a priority is that of a Cancel's leg."""
    return rank % _DRILLS < 100  # noqa: PLR2004 - see `priority`


def is_urgent(rank: int) -> bool:
    """Say whether a priority is one for which a lane keeps places free: Cancels, and seats and terminals at red and orange."""
    return is_cancel(rank) or (rank % _DRILLS < 300 and rank % 100 < PUBLIC * 10)  # noqa: PLR2004 - see `priority`
