"""What a release would reach, counted without writing anything. Only regions inside the area are walked."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from warnd.ledger.directory import VISIBLE
from warnd.ledger.legs import OBLIGED
from warnd.ledger.values import many
from warnd.model.region import path_codes, subtree


@dataclass(frozen=True, slots=True)
class Reach:
    """Counts of one area.

    Attributes:
        village_codes: Bounded, sorted; `villages` counts all.
        seats: (recipient number, role, region, language, has a phone, asked for no more texts at) of each seat in the area and above it.
        households: Language -> households with a phone.
        lonely: (code, name, terminals, terminals on line, officer who can be reached) of villages that lack one of them; bounded.
    """

    villages: int
    village_codes: tuple[str, ...]
    terminals: int
    seats: tuple[Row[Any], ...]
    households: dict[str, int]
    lonely: tuple[Row[Any], ...]


def reach(
    conn: Connection, *, roots: Sequence[str], roles: Collection[str], rev: int, listed: int, now_ms: int
) -> Reach:
    """Count what lies under the given region paths, which do not lie under each other."""
    villages = 0
    codes: list[str] = []
    terminals = 0
    seats: list[Row[Any]] = []
    households: dict[str, int] = {}
    lonely: list[Row[Any]] = []
    for path in sorted(roots):
        low, high = subtree(path)
        bounds = {"low": low, "high": high, "rev": rev, "now": now_ms, "listed": listed}
        villages += _villages(conn, bounds)
        codes += _codes(conn, bounds) if len(codes) < listed else []
        terminals += _terminals(conn, bounds)
        seats += _seats_below(conn, bounds, roles)
        for lang, n in _households(conn, bounds):
            households[lang] = households.get(lang, 0) + n
        lonely += _lonely(conn, bounds) if len(lonely) < listed else []
    seats += _seats_above(conn, roots, roles, rev)
    return Reach(villages, tuple(codes[:listed]), terminals, tuple(seats), households, tuple(lonely[:listed]))


def _villages(conn: Connection, bounds: dict[str, Any]) -> int:
    n: int = conn.execute(
        text("SELECT count(*) FROM region WHERE path >= :low AND path < :high AND tier = 'village'"), bounds
    ).scalar_one()
    return n


def _codes(conn: Connection, bounds: dict[str, Any]) -> list[str]:
    rows = conn.execute(
        text(
            "SELECT code FROM region WHERE path >= :low AND path < :high AND tier = 'village' ORDER BY path LIMIT :listed"
        ),
        bounds,
    )
    return list(rows.scalars())


def _terminals(conn: Connection, bounds: dict[str, Any]) -> int:
    n: int = conn.execute(
        text(
            "SELECT count(*) FROM region g JOIN recipient_version v ON v.region = g.code AND v.kind = 'terminal' "
            f"WHERE g.path >= :low AND g.path < :high AND {VISIBLE}"
        ),
        bounds,
    ).scalar_one()
    return n


_SEAT = (
    "SELECT DISTINCT v.recipient_no, s.role, g.tier, v.lang, v.phone IS NOT NULL AS phone, o.since AS opted_out FROM region g "
    "JOIN seat s ON s.region = g.code JOIN recipient_version v ON v.no = s.version_no "
    "LEFT JOIN opt_out o ON o.channel = 'sms' AND o.address = v.phone "  # Only a text is answered with "stop".
)


def unwilling(conn: Connection, *, recipients: Collection[int], rev: int) -> list[Row[Any]]:
    """Return (id, channel, address, since) of those of the recipients who asked for no more messages, by id."""
    statement = many(
        "SELECT r.id, o.channel, o.address, o.since FROM recipient r JOIN recipient_version v ON v.recipient_no = r.no "
        f"JOIN opt_out o ON o.channel = 'sms' AND o.address = v.phone WHERE r.no IN :nos AND {VISIBLE} ORDER BY r.id",
        "nos",
    )
    return list(conn.execute(statement, {"nos": sorted(recipients), "rev": rev})) if recipients else []


def _seats_below(conn: Connection, bounds: dict[str, Any], roles: Collection[str]) -> list[Row[Any]]:
    statement = many(
        f"{_SEAT} WHERE g.path >= :low AND g.path < :high AND s.role IN :roles AND {VISIBLE}", "roles", of=str
    )
    return list(conn.execute(statement, {**bounds, "roles": sorted(roles)}))


def _seats_above(conn: Connection, roots: Sequence[str], roles: Collection[str], rev: int) -> list[Row[Any]]:
    above = sorted({code for path in roots for code in path_codes(path)[:-1]})
    statement = many(f"{_SEAT} WHERE g.code IN :codes AND s.role IN :roles AND {VISIBLE}", "codes", "roles", of=str)
    return list(conn.execute(statement, {"codes": above, "roles": sorted(roles), "rev": rev})) if above else []


def _households(conn: Connection, bounds: dict[str, Any]) -> Iterator[tuple[str, int]]:
    rows = conn.execute(
        text(
            "SELECT v.lang, count(*) AS n FROM region g JOIN recipient_version v ON v.region = g.code AND v.kind = 'household' "
            f"WHERE g.path >= :low AND g.path < :high AND v.phone IS NOT NULL AND {VISIBLE} "
            f"AND (NOT EXISTS (SELECT 1 FROM opt_out o WHERE o.channel = 'sms' AND o.address = v.phone) OR {OBLIGED}) GROUP BY v.lang"
        ),
        bounds,
    )
    for row in rows:
        yield row.lang, row.n


def _lonely(conn: Connection, bounds: dict[str, Any]) -> list[Row[Any]]:
    """Return villages without a loudspeaker on line or without an officer who can be reached."""
    rows = conn.execute(
        text(
            "SELECT code, name, terminals, live, officer FROM (SELECT g.code, g.name, g.path, "
            "(SELECT count(*) FROM recipient_version v WHERE v.region = g.code AND v.kind = 'terminal' "
            f"AND {VISIBLE}) AS terminals, "
            "(SELECT count(*) FROM recipient_version v JOIN recipient r ON r.no = v.recipient_no "
            "JOIN terminal_state t ON t.terminal = r.id AND t.drill = 0 AND t.online = 1 "
            "AND t.last_seen >= :now - 3000 * coalesce(t.heartbeat_s, 60) "
            f"WHERE v.region = g.code AND v.kind = 'terminal' AND {VISIBLE}) AS live, "
            "EXISTS (SELECT 1 FROM seat s JOIN recipient_version v ON v.no = s.version_no WHERE s.region = g.code "
            f"AND s.role = 'information_officer' AND {VISIBLE} "
            "AND (v.phone IS NOT NULL OR v.email IS NOT NULL OR v.apprise IS NOT NULL)) AS officer "
            "FROM region g WHERE g.path >= :low AND g.path < :high AND g.tier = 'village') AS village "
            "WHERE live = 0 OR NOT officer ORDER BY path LIMIT :listed"
        ),
        bounds,
    )
    return list(rows)
