"""What became of tries: outcomes recorded in groups, and what a leg does next.

Silence repeats as the plan says; failures back off with full jitter until the warning's life ends; a try that may have left is repeated
only after its wait, and the repeat says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.ledger import deliveries, events, latecomers, legs, progress, publications, senders, subscriptions, tallies
from warnd.ledger.each import ManyRows, execute_each
from warnd.ledger.events import Stamp
from warnd.ledger.references import Learned
from warnd.model.evidence import DeliveryState, Evidence
from warnd.model.sms import PARTS_MAX

_BASE_MS = 2_000
_CAP_MS = 60_000
_SLOW_MS = 300_000
PATIENCE = 5  # Failures in a row after which the next channel starts and this one goes on slowly.
_LARGEST_EXPONENT = 10
_OPEN = frozenset({"submitting", "unknown"})  # Attempts whose outcome is still to come.


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt and its outcome.

    Attributes:
        parts: SMS parts it went out with, 1 or more.
        jitter: Uniform in [0, 1), handed in so that simulated time stays deterministic.
        others: How many other senders of the channel could take it now; None = no sender was asked.
    """

    leg_no: int
    number: int
    token: int
    outcome: Outcome
    parts: int
    jitter: float
    others: int | None = None


def backoff_ms(failures: int, jitter: float) -> int:
    """Return how long to wait after this many failures in a row: full jitter, base 2 s, cap 60 s, five minutes once patience is spent."""
    cap = _SLOW_MS if failures > PATIENCE else _CAP_MS
    top = min(cap, _BASE_MS * 2 ** min(failures, _LARGEST_EXPONENT))
    return int(top * jitter)


def record(conn: Connection, tried: Sequence[Tried], *, stamp: Stamp) -> list[Learned]:
    """Record a group of outcomes; those of attempts that somebody else took over no longer move the leg.

    Of two about one attempt (both who asked the provider heard at once) the second finds what the first has written.

    Returns:
        The providers' references that these outcomes told, for reports that came before them.
    """
    first: dict[tuple[int, int], Tried] = {}
    again = [one for one in tried if first.setdefault((one.leg_no, one.number), one) is not one]
    learned = _record(conn, list(first.values()), stamp=stamp)
    return [*learned, *record(conn, again, stamp=stamp)] if again else learned


def _record(conn: Connection, tried: Sequence[Tried], *, stamp: Stamp) -> list[Learned]:
    """Record outcomes of attempts that are all different."""
    rows = _rows(conn, tried)
    known = [(one, rows[one.leg_no, one.number]) for one in tried if (one.leg_no, one.number) in rows]
    _close_attempts(conn, known, stamp=stamp)
    asked = [((row.lane, row.sender or ""), one.leg_no, one.outcome) for one, row in known if one.others is not None]
    senders.learn(conn, asked, stamp=stamp)
    mine = [(one, row) for one, row in known if _moves(one, row)]
    accepted = [(one, row) for one, row in mine if isinstance(one.outcome, Accepted)]
    _wait_for_proof(conn, accepted, stamp=stamp)
    for one, row in mine:
        if isinstance(one.outcome, Failed):
            _failed(conn, one, one.outcome, row, stamp=stamp)
        elif isinstance(one.outcome, Unknown):
            _unknown(conn, one, row, stamp=stamp)
    proved = {
        row.delivery_no: Evidence.ACCEPTED
        for one, row in known
        if isinstance(one.outcome, Accepted) and row.delivery_no is not None
    }
    deliveries.raise_evidence(conn, proved, stamp=stamp)
    # Planning, which counts tries under way, passed over those that a report had called failed.
    latecomers.tell(
        conn, [row.delivery_no for _, row in known if row.delivery_no in proved and row.attempt_state == "failed"]
    )
    _tally(conn, known, mine=accepted)
    progress.note(conn, Counter(row.lane for _, row in accepted), stamp=stamp)
    gone = [one.leg_no for one, _ in known if isinstance(one.outcome, Failed) and one.outcome.gone]
    subscriptions.drop(conn, leg_nos=gone)
    _tell(conn, known, stamp=stamp)
    return _learned(known)


_ROWS = ManyRows(
    "SELECT l.no, a.number, a.state AS attempt_state, l.delivery_no, l.publication_no, l.state, l.token, l.attempts, l.tries, "
    "l.failures, l.wait_ms, l.channel, l.lane, l.due_at, l.message_no, l.evidence, a.sender, d.state AS delivery_state, "
    "m.id AS message_id "
    "FROM leg l JOIN attempt a ON a.leg_no = l.no JOIN message m ON m.no = l.message_no LEFT JOIN delivery d ON d.no = l.delivery_no "
    "WHERE l.no IN :nos",
    *(
        "no",
        "number",
        "attempt_state",
        "delivery_no",
        "publication_no",
        "state",
        "token",
        "attempts",
        "tries",
        "failures",
        "wait_ms",
    ),
    *("channel", "lane", "due_at", "message_no", "evidence", "sender", "delivery_state", "message_id"),
)


def _rows(conn: Connection, tried: Sequence[Tried]) -> dict[tuple[int, int], Row[Any]]:
    rows = _ROWS.fetch(conn, sorted({one.leg_no for one in tried}))
    return {(row.no, row.number): row for row in rows}


def _moves(one: Tried, row: Row[Any]) -> bool:
    """Say whether this outcome still decides what the leg does: it holds the fence, or resolves the newest try that was unknown."""
    if one.number != row.attempts:
        return False
    if row.state == "submitting":
        return bool(one.token == row.token)
    return bool(row.state == "waiting" and row.attempt_state == "unknown" and not isinstance(one.outcome, Unknown))


def _close_attempts(conn: Connection, known: Sequence[tuple[Tried, Row[Any]]], *, stamp: Stamp) -> None:
    """Write the outcomes; an attempt that a report already proved failed stays failed, one that is settled stays settled."""
    if not known:
        return
    execute_each(
        conn,
        "UPDATE attempt SET state = :state, ended_at = :now, reference = :reference, reason = :reason, parts = :parts "
        "WHERE leg_no = :leg AND number = :number AND state IN ('submitting', 'unknown')",
        [
            {
                "leg": one.leg_no,
                "number": one.number,
                "now": stamp.now_ms,
                "parts": _parts(one),
                **_columns(one.outcome),
            }
            for one, _ in known
        ],
    )
    overtaken = [
        {"leg": one.leg_no, "number": one.number, "reference": one.outcome.reference}
        for one, row in known
        if row.attempt_state not in _OPEN and isinstance(one.outcome, Accepted) and one.outcome.reference is not None
    ]
    if overtaken:  # A report was faster; the next one may come with the reference alone.
        conn.execute(
            text(
                "UPDATE attempt SET reference = coalesce(reference, :reference) WHERE leg_no = :leg AND number = :number"
            ),
            overtaken,
        )


def _parts(one: Tried) -> int:
    """Return how many parts went out: the provider bills what it counted, unless that is nonsense."""
    counted = one.outcome.segments if isinstance(one.outcome, Accepted) else None
    return counted if counted and counted <= PARTS_MAX else one.parts


def _columns(outcome: Outcome) -> dict[str, str | None]:
    if isinstance(outcome, Accepted):
        return {"state": "accepted", "reference": outcome.reference, "reason": None}
    if isinstance(outcome, Failed):
        return {"state": "failed", "reference": None, "reason": outcome.reason}
    return {"state": "unknown", "reference": None, "reason": outcome.reason}


def _wait_for_proof(conn: Connection, accepted: Sequence[tuple[Tried, Row[Any]]], *, stamp: Stamp) -> None:
    """Let accepted legs wait for proof; publications, and deliveries that proof has overtaken, are done."""
    execute_each(
        conn,
        "UPDATE leg SET state = :state, due_at = :due_at, tries = tries + 1, repeat = 1, owner = NULL, lease_until = NULL, "
        "evidence = CASE WHEN evidence < 1 AND delivery_no IS NOT NULL THEN 1 ELSE evidence END, "
        "failures = CASE WHEN publication_no IS NULL THEN failures ELSE 0 END "  # Only silence ends a row of bad reports.
        "WHERE no = :no",
        [{"no": row.no, "state": _after_acceptance(row), "due_at": stamp.now_ms + row.wait_ms} for _, row in accepted],
    )
    for _, row in accepted:
        if row.publication_no is not None:
            publications.cover(conn, publication_no=row.publication_no, stamp=stamp)


def _after_acceptance(row: Row[Any]) -> str:
    over = row.publication_no is not None or row.delivery_state == DeliveryState.SATISFIED
    return "done" if over else "waiting"


def _failed(conn: Connection, one: Tried, outcome: Failed, row: Row[Any], *, stamp: Stamp) -> None:
    if outcome.retry == "permanent":
        _release(conn, row, state="failed", due_at=stamp.now_ms, failures=row.failures + 1)
        give_way(conn, delivery_no=row.delivery_no, stamp=stamp)
        return
    found_out = row.state == "waiting"  # Its failure was counted and waited for when nobody knew what became of it.
    failures = row.failures + (outcome.retry == "transient" and not found_out)
    _release(
        conn, row, state="due", due_at=_due_at(one, outcome, row, failures=failures, stamp=stamp), failures=failures
    )
    lose_patience(conn, delivery_no=row.delivery_no, failures=failures, before=row.failures, stamp=stamp)


def _due_at(one: Tried, outcome: Failed, row: Row[Any], *, failures: int, stamp: Stamp) -> int:
    """Return when a leg is tried again that certainly has not left.

    While there are senders that have not failed it in this round, that is now, in the place in the queue that it had; once all have,
    it backs off, and the next round begins.
    """
    found_out = row.state == "waiting"
    others = 0 if one.others is None or found_out else one.others
    rounds, later = divmod(failures, others + 1)
    if others and (later or outcome.retry == "throttled"):
        return min(stamp.now_ms, int(row.due_at))
    if outcome.retry_after_s is not None:
        return stamp.now_ms + int(outcome.retry_after_s * 1000)
    return stamp.now_ms + (0 if found_out else backoff_ms(rounds if others else failures, one.jitter))


def lose_patience(conn: Connection, *, delivery_no: int | None, failures: int, before: int, stamp: Stamp) -> None:
    """Start the delivery's next channel beside this one when its failures in a row have just come to the bound."""
    if delivery_no is not None and before < PATIENCE <= failures:
        legs.start_next(conn, delivery_no=delivery_no, now_ms=stamp.now_ms)


def _release(conn: Connection, row: Row[Any], *, state: str, due_at: int, failures: int) -> None:
    """Give a leg back after a try that certainly did not arrive: the next one is a repeat only if an earlier one may have arrived."""
    over = row.delivery_state == DeliveryState.SATISFIED
    conn.execute(
        text(
            "UPDATE leg SET state = :state, due_at = :due_at, failures = :failures, owner = NULL, lease_until = NULL, "
            "repeat = CASE WHEN EXISTS (SELECT 1 FROM attempt a WHERE a.leg_no = leg.no AND a.state IN ('accepted', 'unknown')) "
            "OR EXISTS (SELECT 1 FROM receipt p WHERE p.leg_no = leg.no) "  # Of a failed one, too: a part of it may have arrived.
            "THEN 1 ELSE 0 END WHERE no = :no"
        ),
        {"no": row.no, "state": "done" if over else state, "due_at": due_at, "failures": failures},
    )


def give_way(conn: Connection, *, delivery_no: int | None, stamp: Stamp) -> None:
    """After a leg ended without success: start the delivery's next channel, or own up that none is left."""
    if delivery_no is not None and not legs.start_next(conn, delivery_no=delivery_no, now_ms=stamp.now_ms):
        deliveries.exhaust(conn, delivery_no=delivery_no, stamp=stamp)


def _unknown(conn: Connection, one: Tried, row: Row[Any], *, stamp: Stamp) -> None:
    over = row.delivery_state == DeliveryState.SATISFIED
    conn.execute(
        text(
            "UPDATE leg SET state = :state, due_at = :due_at, failures = failures + 1, repeat = 1, owner = NULL, lease_until = NULL "
            "WHERE no = :no AND token = :token"
        ),
        {
            "no": row.no,
            "token": one.token,
            "state": "done" if over else "waiting",
            "due_at": stamp.now_ms + row.wait_ms,
        },
    )
    if not over:
        failures = row.failures + 1
        lose_patience(conn, delivery_no=row.delivery_no, failures=failures, before=row.failures, stamp=stamp)


def _learned(known: Sequence[tuple[Tried, Row[Any]]]) -> list[Learned]:
    return [
        Learned(row.channel, one.outcome.reference, one.jitter)
        for one, row in known
        if isinstance(one.outcome, Accepted) and one.outcome.reference is not None
    ]


def _tally(
    conn: Connection, known: Sequence[tuple[Tried, Row[Any]]], *, mine: Sequence[tuple[Tried, Row[Any]]]
) -> None:
    """Count what gateways took: its cost, for every try costs, and that it was taken. The legs of `mine` were raised with their state."""
    taken: tallies.Deltas = Counter()
    for one, row in known:
        billed = row.delivery_no is not None and row.channel != "mqtt"  # Nobody bills a command to a loudspeaker.
        if isinstance(one.outcome, Accepted) and billed and row.attempt_state != "accepted":
            taken[row.message_no, row.channel, tallies.SEGMENTS] += _parts(one)
    for _, row in mine:
        if row.delivery_no is not None and row.evidence < Evidence.ACCEPTED:
            taken[row.message_no, row.channel, Evidence.ACCEPTED.word] += 1
    tallies.add(conn, taken)
    raised = {row.no for _, row in mine}
    others = {row.no for one, row in known if isinstance(one.outcome, Accepted)} - raised
    tallies.raise_legs(conn, dict.fromkeys(others, Evidence.ACCEPTED))


def _tell(conn: Connection, known: Sequence[tuple[Tried, Row[Any]]], *, stamp: Stamp) -> None:
    by_message: dict[str, list[list[Any]]] = {}
    for one, row in known:
        columns = _columns(one.outcome)
        by_message.setdefault(row.message_id, []).append([one.leg_no, one.number, columns["state"], columns["reason"]])
    for message_id, rows in by_message.items():
        events.append(conn, stamp=stamp, kind="attempt.recorded", message_id=message_id, data={"attempts": rows})
