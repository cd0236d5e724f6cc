"""Receipts: every piece of proof is kept as it came, matched to what it proves, and applied by joining evidence upward.

The evidence of a delivery is a function of the set of its receipts: order, delay and repetition change nothing. A receipt that fits nothing
is kept unmatched and shown.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.channel import Reply, Report
from warnd.ledger import deliveries, digits, events, latecomers, proofs, references, replies, senders, tallies
from warnd.ledger.each import ManyRows
from warnd.ledger.events import Stamp
from warnd.ledger.node import attempt_id, parse_attempt_id
from warnd.ledger.outcomes import backoff_ms, give_way, lose_patience
from warnd.ledger.proofs import Group
from warnd.ledger.references import Learned
from warnd.ledger.values import dumps, maybe_ms
from warnd.model.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Arrived:
    """One report or reply with the random number its back-off may need."""

    receipt: Report | Reply
    jitter: float


def apply(conn: Connection, arrived: Sequence[Arrived], *, tag: str, stamp: Stamp) -> None:
    """Keep a group of reports and replies; what they prove together is joined once, at the end.

    What only proves changes no row before that, so it is kept at once; the rest follows one by one, in the order in which it came.
    """
    group = Group()
    known = references.known(conn, [one.receipt for one in arrived if isinstance(one.receipt, Report)])
    proving = [one for one in arrived if isinstance(one.receipt, Report) and not one.receipt.failed]
    _reports(conn, proving, known, group, tag=tag, stamp=stamp)
    for one in arrived:
        if isinstance(one.receipt, Reply):
            replies.apply(conn, one.receipt, group, stamp=stamp)
        elif one.receipt.failed:
            _reports(conn, [one], known, group, tag=tag, stamp=stamp)
    _settle(conn, group, stamp=stamp)


def catch_up(conn: Connection, learned: Sequence[Learned], *, tag: str, stamp: Stamp) -> None:
    """Apply the reports that came before the outcomes that told their references, as if they had come now."""
    early = references.waiting(conn, learned)
    if not early:
        return
    jitters = {(one.channel, one.reference): one.jitter for one in learned}
    known = references.known(conn, [one.report for one in early])
    group = Group()
    for one in early:
        fits = references.fitting(known, one.report)
        row = _attempt(conn, fits[0]) if len(fits) == 1 else None
        if row is not None:
            references.match(conn, no=one.no, leg_no=row.leg_no, number=row.number, delivery_no=row.delivery_no)
            jitter = jitters[one.report.channel, one.report.reference or ""]
            _consequences(conn, one.report, row, group, tag=tag, jitter=jitter, stamp=stamp)
    _settle(conn, group, stamp=stamp)


def _settle(conn: Connection, group: Group, *, stamp: Stamp) -> None:
    matched = [("receipt.matched", message_id, {"reports": reports}) for message_id, reports in group.matched.items()]
    events.append_all(conn, matched, stamp=stamp)
    deliveries.raise_evidence(conn, group.proofs, stamp=stamp)
    tallies.raise_legs(conn, group.legs, group.standings)
    senders.heard(conn, group.delays_ms, stamp=stamp)
    answered = [no for no, evidence in group.proofs.items() if evidence >= Evidence.ACKNOWLEDGED]
    if answered:
        digits.answered(conn, answered, now_ms=stamp.now_ms)
    latecomers.tell(conn, group.proofs.keys() - group.timely)


def _reports(
    conn: Connection, arrived: Sequence[Arrived], known: references.Known, group: Group, *, tag: str, stamp: Stamp
) -> None:
    """Keep reports, and let each that is no copy do what it does; of those that do more than prove one at a time."""
    came: list[tuple[Report, tuple[int, int] | None, float]] = [
        (one.receipt, _meant(one.receipt, known, tag=tag), one.jitter)
        for one in arrived
        if isinstance(one.receipt, Report)
    ]
    if not came:
        return
    rows = _attempts(conn, [ours for _, ours, _ in came if ours is not None])
    about = [None if ours is None else rows.get(ours) for _, ours, _ in came]
    columns = [_columns(report, row) for (report, _, _), row in zip(came, about, strict=True)]
    fresh = proofs.keep_all(conn, columns, stamp=stamp)
    for (report, _, jitter), row, new in zip(came, about, fresh, strict=True):
        if not new:
            continue
        if row is None:
            proofs.tell_stranger(conn, report.channel, report.attempt or report.reference or "", stamp=stamp)
        else:
            _consequences(conn, report, row, group, tag=tag, jitter=jitter, stamp=stamp)


def _columns(report: Report, row: Row[Any] | None) -> dict[str, int | str | None]:
    return {
        "channel": report.channel,
        "kind": "report",
        "key": _report_key(report),
        "attempt": report.attempt,
        "leg_no": row.leg_no if row else None,
        "number": row.number if row else None,
        "delivery_no": row.delivery_no if row else None,
        "evidence": int(report.evidence),
        "failed": int(report.failed),
        "part": report.part,
        "parts": report.parts,
        "reason": report.reason,
        "at": maybe_ms(report.at),
        "raw": report.raw,
        "reference": report.reference,
        "address": report.address,
    }


def _meant(report: Report, known: references.Known, *, tag: str) -> tuple[int, int] | None:
    """Return which attempt a report is about; one that fits several is about none."""
    if report.attempt is not None:
        return parse_attempt_id(tag, report.attempt)
    fits = references.fitting(known, report)
    return fits[0] if len(fits) == 1 else None


def _consequences(
    conn: Connection, report: Report, row: Row[Any], group: Group, *, tag: str, jitter: float, stamp: Stamp
) -> None:
    """Let a matched report, which is kept by now, do what it does."""
    about = attempt_id(tag, row.leg_no, row.number)
    group.matched.setdefault(row.message_id, []).append([about, report.failed, report.part])
    if row.delivery_no is None:
        return
    if report.failed:
        _negative(conn, report, row, jitter=jitter, stamp=stamp)
    else:
        if row.sender is not None and row.ended_at is not None and report.evidence >= Evidence.DELIVERED:
            group.delays_ms.setdefault((row.lane, row.sender), []).append(stamp.now_ms - row.ended_at)
        whole = max(
            Evidence.ACCEPTED, report.evidence
        )  # It proves by itself; what others prove was joined when they came.
        group.standings[row.leg_no] = tallies.Standing(row.leg_no, row.message_no, row.channel, row.leg_evidence)
        if row.closed_as != "withdrawn":
            group.timely.add(row.delivery_no)
        group.prove(row.delivery_no, whole if report.part is None else _proved(conn, row), legs=[row.leg_no])


_ATTEMPT = (
    "SELECT a.leg_no, a.number, a.state, a.sender, a.ended_at, l.delivery_no, l.state AS leg_state, l.attempts, l.tries, "
    "l.failures, l.channel, l.lane, l.message_no, l.evidence AS leg_evidence, "
    "m.id AS message_id, m.closed_as, d.state AS delivery_state "
    "FROM attempt a JOIN leg l ON l.no = a.leg_no JOIN message m ON m.no = l.message_no "
    "LEFT JOIN delivery d ON d.no = l.delivery_no "
)
_REPORTED = text(
    "SELECT evidence, coalesce(parts, 1) AS parts, coalesce(part, 1) AS part, part IS NULL AS whole FROM receipt "
    "WHERE leg_no = :leg AND number = :number AND failed = 0"
)
_ONE_ATTEMPT = text(f"{_ATTEMPT} WHERE a.leg_no = :leg AND a.number = :number")
_THEIR_ATTEMPTS = ManyRows(
    f"{_ATTEMPT} WHERE a.leg_no IN :nos",
    *(
        "leg_no",
        "number",
        "state",
        "sender",
        "ended_at",
        "delivery_no",
        "leg_state",
        "attempts",
        "tries",
        "failures",
        "channel",
        "lane",
    ),
    *("message_no", "leg_evidence", "message_id", "closed_as", "delivery_state"),
)


def _attempt(conn: Connection, ours: tuple[int, int]) -> Row[Any] | None:
    return conn.execute(_ONE_ATTEMPT, {"leg": ours[0], "number": ours[1]}).one_or_none()


def _attempts(conn: Connection, meant: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Row[Any]]:
    """Return the attempts that are there, by leg and number."""
    if not meant:
        return {}
    rows = _THEIR_ATTEMPTS.fetch(conn, sorted({leg_no for leg_no, _ in meant}))
    return {(row.leg_no, row.number): row for row in rows}


def _report_key(report: Report) -> str:
    told: list[Any] = [
        report.attempt,
        int(report.evidence),
        report.failed,
        report.part,
        report.parts,
        report.reason,
        maybe_ms(report.at),
    ]
    if report.reference is not None or report.address is not None:
        told += [report.reference, report.address]
    return hashlib.sha256(dumps(told).encode()).hexdigest()


def _proved(conn: Connection, row: Row[Any]) -> Evidence:
    """Return what all reports of this attempt prove together.

    A report for the whole message proves by itself; a part proves something only when every part of the same count is there.
    """
    rows = conn.execute(_REPORTED, {"leg": row.leg_no, "number": row.number})
    best: dict[tuple[int, int], int] = {}
    strongest = Evidence.ACCEPTED  # Whatever reports on it has taken it.
    for one in rows:
        if one.whole:
            strongest = max(strongest, Evidence(one.evidence))
        else:
            key = (one.parts, one.part)
            best[key] = max(best.get(key, 0), one.evidence)
    for count in {parts for parts, _ in best}:
        levels = [best.get((count, part), 0) for part in range(1, count + 1)]
        strongest = max(strongest, Evidence(min(levels)))
    return strongest


def _negative(conn: Connection, report: Report, row: Row[Any], *, jitter: float, stamp: Stamp) -> None:
    """Fail the attempt; if it is its leg's newest, the leg becomes due again, or ends where the address is at fault. Evidence stays.

    An attempt that was delivered whole stays delivered: reports come in any order, and a late "failed" takes nothing back.
    """
    if _proved(conn, row) >= Evidence.DELIVERED:
        return
    failed = conn.execute(
        text(
            "UPDATE attempt SET state = 'failed', ended_at = :now, reason = :reason WHERE leg_no = :leg AND number = :number "
            "AND state <> 'failed'"
        ),
        {
            "leg": row.leg_no,
            "number": row.number,
            "now": stamp.now_ms,
            "reason": _reason(report),
        },
    )
    newest = row.number == row.attempts and row.leg_state in {"submitting", "waiting"}
    if failed.rowcount != 1 or not newest:
        return
    failures = row.failures + 1
    if (
        row.closed_as is not None or row.delivery_state == "satisfied"
    ):  # Nothing more is to be tried, and nothing is under way.
        _leave(conn, row, state="done", failures=failures)
        return
    if report.permanent:
        _end(conn, row, failures=failures, stamp=stamp)
        return
    silent = row.tries - (row.state == "accepted")  # This try was answered, though not as hoped.
    conn.execute(
        text(
            "UPDATE leg SET state = 'due', due_at = :due_at, failures = :failures, tries = :tries, repeat = 1, owner = NULL, "
            "lease_until = NULL, token = token + 1 WHERE no = :no AND state IN ('submitting', 'waiting')"
        ),
        {
            "no": row.leg_no,
            "due_at": stamp.now_ms + backoff_ms(failures, jitter),
            "failures": failures,
            "tries": silent,
        },
    )
    lose_patience(conn, delivery_no=row.delivery_no, failures=failures, before=row.failures, stamp=stamp)


def _end(conn: Connection, row: Row[Any], *, failures: int, stamp: Stamp) -> None:
    """End a leg for good, so that the delivery's next channel begins now and not after five such reports."""
    _leave(conn, row, state="failed", failures=failures)
    give_way(conn, delivery_no=row.delivery_no, stamp=stamp)


def _leave(conn: Connection, row: Row[Any], *, state: str, failures: int) -> None:
    """Let a leg wait for nothing any more; an outcome that is still to come no longer moves it."""
    conn.execute(
        text(
            "UPDATE leg SET state = :state, failures = :failures, owner = NULL, lease_until = NULL, token = token + 1 "
            "WHERE no = :no AND state IN ('submitting', 'waiting')"
        ),
        {"no": row.leg_no, "state": state, "failures": failures},
    )


def _reason(report: Report) -> str:
    told = report.reason or "reported as not delivered"
    return told if report.part is None else f"partial: part {report.part} of {report.parts or '?'}: {told}"
