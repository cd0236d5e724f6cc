"""Reports that carry only the provider's own reference: which of our attempts each is about, also when it came first.

Nothing is guessed: a report that fits two attempts proves nothing about either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from warnd.channel import Report
from warnd.ledger.values import many, maybe_time
from warnd.model.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Learned:
    """A reference that an outcome has just told; `jitter` is for the back-off of a refusal that waits for it."""

    channel: str
    reference: str
    jitter: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A report that was kept before anybody knew its reference."""

    no: int
    report: Report


_FEW = 200  # Reports that may wait before looking for each reference costs less than looking at what waits.

Known = dict[tuple[str, str], list[tuple[str, int, int]]]
"""(channel, reference) -> (address, leg number, attempt number) of every attempt that has it."""

_ATTEMPTS = many(
    "SELECT l.channel, a.reference, l.address, a.leg_no, a.number FROM attempt a JOIN leg l ON l.no = a.leg_no "
    "WHERE a.reference IS NOT NULL AND a.reference IN :references ORDER BY a.leg_no, a.number",
    "references",
    of=str,
)
_WAITING = many(
    "SELECT no, channel, evidence, failed, part, parts, reason, at, raw, reference, address FROM receipt "
    "WHERE leg_no IS NULL AND reference IS NOT NULL AND channel = :channel AND reference IN :references ORDER BY no",
    "references",
    of=str,
)


def known(conn: Connection, reports: Iterable[Report]) -> Known:
    """Return the attempts that have the references of those reports that carry no attempt id; one look for all of them."""
    wanted = {one.reference for one in reports if one.attempt is None and one.reference is not None}
    found: Known = {}
    if wanted:
        for row in conn.execute(_ATTEMPTS, {"references": sorted(wanted)}):
            found.setdefault((row.channel, row.reference), []).append((row.address, row.leg_no, row.number))
    return found


def fitting(among: Known, report: Report) -> list[tuple[int, int]]:
    """Return (leg number, attempt number) of the attempts that a report without attempt id fits: it is matched only if that is one."""
    if report.reference is None:
        return []
    candidates = among.get((report.channel, report.reference), [])
    return [(leg, number) for address, leg, number in candidates if report.address in {None, address}]


_ANY = text(
    "SELECT reference FROM receipt WHERE leg_no IS NULL AND reference IS NOT NULL AND channel = :channel LIMIT :most"
)


def waiting(conn: Connection, learned: Sequence[Learned]) -> list[Waiting]:
    """Return the reports that came before these references were known, in the order of their coming.

    Every outcome asks, and hardly ever has a report come first: so the few that wait are looked at, not the many references.
    """
    by_channel: dict[str, set[str]] = {}
    for one in learned:
        by_channel.setdefault(one.channel, set()).add(one.reference)
    rows: list[Row[tuple[object, ...]]] = []
    for channel, references in sorted(by_channel.items()):
        some = list(conn.execute(_ANY, {"channel": channel, "most": _FEW}).scalars())
        wanted = references if len(some) == _FEW else references.intersection(some)
        if wanted:
            rows += conn.execute(_WAITING, {"channel": channel, "references": sorted(wanted)})
    return [Waiting(row.no, _report(row)) for row in sorted(rows, key=lambda row: row.no)]


def _report(row: Row[tuple[object, ...]]) -> Report:
    at: datetime | None = maybe_time(row.at)
    return Report(
        channel=row.channel,
        attempt=None,
        evidence=Evidence(row.evidence),
        failed=bool(row.failed),
        part=row.part,
        parts=row.parts,
        reason=row.reason,
        at=at,
        raw=row.raw,
        reference=row.reference,
        address=row.address,
    )


def match(conn: Connection, *, no: int, leg_no: int, number: int, delivery_no: int | None) -> None:
    """Write down which attempt a kept report is about."""
    conn.execute(
        text("UPDATE receipt SET leg_no = :leg, number = :number, delivery_no = :delivery WHERE no = :no"),
        {"no": no, "leg": leg_no, "number": number, "delivery": delivery_no},
    )
