"""Recipients and their seats on their way in and out of the directory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, text, update

from warnd.ledger.directory import revision
from warnd.ledger.schema import recipient, recipient_version, seat
from warnd.ledger.values import many


class RecipientFacts(NamedTuple):
    """A recipient as its version has it. A tuple, because a million of them are compared."""

    kind: str
    name: str
    region: str
    lang: str
    phone: str | None
    email: str | None
    lat: float | None
    lon: float | None
    public_key: str | None
    apprise: str | None = None


Seats = tuple[tuple[str, str], ...]
"""(role, region code), sorted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the directory has of a recipient; `version_no` and `facts` are None if it was removed earlier."""

    no: int
    version_no: int | None
    facts: RecipientFacts | None
    seats: Seats


@dataclass(frozen=True, slots=True)
class Version:
    """A new version to be written; `known` is the number of a recipient that the directory has already."""

    id: str
    known: int | None
    facts: RecipientFacts
    seats: Seats


def standing(conn: Connection, *, ids: Sequence[str]) -> dict[str, Standing]:
    """Return those of the recipients that were ever in the directory, by id."""
    rows = conn.execute(
        many(
            "SELECT c.id, c.no, v.no, v.kind, v.name, v.region, v.lang, v.phone, v.email, v.lat, v.lon, v.public_key, v.apprise "
            "FROM recipient c LEFT JOIN recipient_version v ON v.recipient_no = c.no "
            "AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev) WHERE c.id IN :ids",
            "ids",
            of=str,
        ),
        {"ids": ids, "rev": revision(conn)},
    ).all()
    seats = _seats(conn, versions=[row[2] for row in rows if row[2] is not None])
    return {
        row[0]: Standing(
            no=row[1],
            version_no=row[2],
            facts=None if row[2] is None else RecipientFacts._make(row[3:]),
            seats=tuple(seats.get(row[2], ())),
        )
        for row in rows
    }


def ids_after(conn: Connection, *, after: int, limit: int) -> list[tuple[int, str, int]]:
    """Return (number, id, version number) of up to `limit` current recipients, numbers rising, beginning behind `after`."""
    rows = conn.execute(
        text(
            "SELECT c.no, c.id, v.no FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no "
            "AND v.from_rev <= :rev AND (v.to_rev IS NULL OR v.to_rev > :rev) WHERE c.no > :after ORDER BY c.no LIMIT :limit"
        ),
        {"after": after, "rev": revision(conn), "limit": limit},
    )
    return [(row[0], row[1], row[2]) for row in rows]


def add(conn: Connection, versions: Sequence[Version], *, rev: int) -> None:
    """Write new versions, and recipients where they are new, to be seen from revision `rev` on.

    Numbers are given in the order of `versions`: neighbours there stay neighbours in the table.
    """
    recipient_no, version_no = _last(conn, "recipient"), _last(conn, "recipient_version")
    fresh, rows, seats = [], [], []
    for number, version in enumerate(versions, version_no + 1):
        no = version.known
        if no is None:
            recipient_no += 1
            no = recipient_no
            fresh.append({"no": no, "id": version.id})
        rows.append({"no": number, "recipient_no": no, "from_rev": rev, **version.facts._asdict()})
        seats += [{"version_no": number, "role": role, "region": code} for role, code in version.seats]
    for table, values in ((recipient, fresh), (recipient_version, rows), (seat, seats)):
        if values:
            conn.execute(insert(table), values)


def close(conn: Connection, version_nos: Iterable[int], *, rev: int) -> None:
    """Let versions end with revision `rev`."""
    statement = update(recipient_version).where(recipient_version.c.no == bindparam("version"))
    conn.execute(statement.values(to_rev=rev), [{"version": no} for no in version_nos])


def _seats(conn: Connection, *, versions: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    if versions:
        rows = conn.execute(
            many(
                "SELECT version_no, role, region FROM seat WHERE version_no IN :versions ORDER BY version_no, role, region",
                "versions",
            ),
            {"versions": versions},
        )
        for no, role, code in rows:
            found.setdefault(no, []).append((role, code))
    return found


def _last(conn: Connection, table: str) -> int:
    number: int = conn.execute(text(f"SELECT coalesce(max(no), 0) FROM {table}")).scalar_one()
    return number
