"""What must be true of a story however often its daemon died: the store's invariants, and what the world outside saw."""

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from tests import invariants
from tests.crash.outside import DEAD, Arrived
from tests.crash.story import BEHAVIOURS, Lived
from tests.invariants import never_fell, standing
from tests.simulation.virtual import START
from warnd.channel import Playback, Presence, Reply, Report
from warnd.ledger.values import to_ms

_TRIES = 2  # As the story's plan says.
_WITHDRAWN_MS = 2_000  # DESIGN §11, 3.
# How each warning of the story ends.
ENDS = {
    "QH-1": "superseded",
    "QH-1b": "superseded",
    "QH-2": "cancelled",
    "QH-2-C": "completed",
    "QH-3": "expired",
    "QH-4": "rejected",
    "QH-5": "cancelled",
    "QH-5-C": "completed",
    "QH-6": "completed",
}


@dataclass(slots=True)
class Tally:
    """What was counted, over any number of runs.

    Attributes:
        deaths: How often a daemon died.
        warnings, deliveries: That were accepted, and made.
        sent: Texts, mails and commands that reached a gateway, server or broker.
        repeats, said: Of these, such as the same address had before; and how many of them say so.
        confirmed: Receipts whose senders were told that they are kept.
        lost: Warnings, deliveries, receipts or Cancels that are missing.
    """

    deaths: int = 0
    warnings: int = 0
    deliveries: int = 0
    sent: int = 0
    repeats: int = 0
    said: int = 0
    confirmed: int = 0
    lost: int = 0

    def add(self, other: "Tally") -> None:
        """Add what another run counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


async def judge(lived: Lived) -> Tally:
    """Hold a finished story to everything that must be true of it, and count.

    Raises:
        AssertionError: Something is not true; the text names it.
    """
    return await lived.ledger.read(_judged, lived=lived)


def _judged(conn: Connection, *, lived: Lived) -> Tally:
    invariants.check(conn)
    looks = [*lived.left, standing(conn)]
    for before, after in pairwise(looks):
        never_fell(before, after)
    _warnings_end_as_they_must(conn, lived)
    _receipts_are_kept(conn, lived)
    _nothing_leaves_after_the_end(conn, lived)
    lost = [*_unreached(conn), *_not_told_of_the_cancel(lived)]
    assert not lost, lost
    repeats = _repeats(lived)
    return Tally(
        deaths=len(lived.left),
        warnings=_number(conn, "SELECT count(*) FROM warning"),
        deliveries=_number(conn, "SELECT count(*) FROM delivery"),
        sent=len(lived.outside.arrived),
        repeats=len(repeats),
        said=sum(one.out.repeated for one in repeats),
        confirmed=len(lived.outside.confirmed),
    )


def _warnings_end_as_they_must(conn: Connection, lived: Lived) -> None:
    kept = {row.identifier: row for row in conn.execute(text("SELECT id, identifier, state FROM warning"))}
    assert {name: row.state for name, row in kept.items()} == ENDS
    known = {row.id for row in kept.values()}
    forgotten = [one for one in lived.answered if one.warning_id is not None and one.warning_id not in known]
    assert not forgotten, ("accepted and forgotten", forgotten)


def _receipts_are_kept(conn: Connection, lived: Lived) -> None:
    kept = set(conn.execute(text("SELECT raw FROM receipt")).scalars())
    played = {(row.terminal, row.boot_id, row.n) for row in conn.execute(text("SELECT * FROM terminal_receipt"))}
    there = set(conn.execute(text("SELECT terminal FROM terminal_state")).scalars())
    for one in lived.outside.confirmed:
        match one:
            case Report() | Reply():
                assert one.raw in kept, ("confirmed and lost", one)
            case Playback():
                assert (one.terminal, one.boot_id, one.n) in played, ("confirmed and lost", one)
            case Presence():
                assert one.terminal in there, ("confirmed and lost", one)


def _nothing_leaves_after_the_end(conn: Connection, lived: Lived) -> None:
    ends: dict[str, int] = {}
    for row in conn.execute(text("SELECT id, closed_at, closed_as, expires_at FROM message")):
        closed = row.closed_at + _WITHDRAWN_MS if row.closed_as == "withdrawn" else row.expires_at
        ends[row.id] = min(closed, row.expires_at)
    late = [one for one in lived.outside.arrived if _ms(one) >= ends[one.out.message.id]]
    assert not late, ("left after the end of its message", late)


def _ms(one: Arrived) -> int:
    return to_ms(START + timedelta(seconds=one.at_s))


def _unreached(conn: Connection) -> list[Any]:
    """Return deliveries that nobody heard although there was somebody to hear them."""
    rows = conn.execute(
        text(
            "SELECT m.id, m.kind, d.no, l.address FROM delivery d JOIN message m ON m.no = d.message_no "
            "JOIN leg l ON l.delivery_no = d.no WHERE d.evidence = 0 ORDER BY d.no"
        )
    )
    return [tuple(row) for row in rows if BEHAVIOURS.get(row.address) != DEAD]


def _not_told_of_the_cancel(lived: Lived) -> list[Any]:
    """Return whoever got the Alert or its Update and not the Cancel; who has it on one channel needs it on no other.

    Loudspeakers hear of it by their topic, and say so by the receipts that are looked at elsewhere.
    """
    got: dict[str, set[str]] = defaultdict(set)
    for one in lived.outside.arrived:
        if one.out.recipient is not None and one.channel != "mqtt":
            got[_name(one)].add(one.out.recipient)
    return sorted((got["QH-1"] | got["QH-2"]) - got["QH-2-C"])


def _name(one: Arrived) -> str:
    document = one.out.message.document.decode()
    return document.partition("<identifier>")[2].partition("</identifier>")[0]


def _repeats(lived: Lived) -> list[Arrived]:
    """Return what the same address had before; each try leaves once, and nobody is sent more than tries and deaths explain."""
    tries = [one.out.attempt for one in lived.outside.arrived]
    assert len(set(tries)) == len(tries), "one try left twice"
    before: dict[tuple[str, str, str], int] = defaultdict(int)
    repeats: list[Arrived] = []
    for one in lived.outside.arrived:
        key = (one.out.message.id, one.channel, one.out.address)
        if before[key]:
            repeats.append(one)
        before[key] += 1
    silent = [one for one in repeats if not one.out.repeated]
    assert not silent, ("a repeat that does not say so", silent)
    most = _TRIES + len(lived.left)
    assert max(before.values(), default=0) <= most, ("sent more often than anything explains", before)
    return repeats


def _number(conn: Connection, statement: str) -> int:
    return int(conn.execute(text(statement)).scalar_one())
