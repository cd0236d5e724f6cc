"""Countries of any size, made by plain statements: the import has a bench of its own."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Engine, text

from warnd.clock import SystemClock
from warnd.ledger.store import open_engine, upgrade
from warnd.ledger.tokens import create, hashed

TOKEN = "bench-token-that-may-release"
_TIERS = (("province", 20_000, 2), ("city", 2_000, 4), ("county", 200, 6), ("township", 20, 9), ("village", 1, 12))
_FIRST_PROVINCE = 11
PROVINCES = 31


@dataclass(frozen=True, slots=True)
class Country:
    """How many live where.

    Attributes:
        villages: Up to 620,000; twenty in a township, ten townships in a county, ten counties in a city, ten cities in a province.
        people: Spread evenly over the villages, with a phone each.
        seat_every: Of so many people one is the officer of their village; 0 = all are households.
    """

    villages: int
    people: int
    seat_every: int = 0

    @property
    def provinces(self) -> tuple[str, ...]:
        """The codes of its provinces, as they are stored."""
        return tuple(f"{_FIRST_PROVINCE + n}0000000000" for n in range((self.villages - 1) // _TIERS[0][1] + 1))


def settle(folder: Path, country: Country) -> str:
    """Make a store with this country in it, and a token that may release; return its address."""
    url = f"sqlite:///{folder / 'warnd.sqlite'}"
    upgrade(url)
    engine = open_engine(url)
    _regions(engine, country)
    _people(engine, country)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('directory_rev', '1')"))
        now = SystemClock().now()
        create(conn, token_hash=hashed(TOKEN), scope="release", senders=(), region=None, now=now)
        conn.execute(text("ANALYZE"))
    engine.dispose()
    return url


def _numbers(count: int) -> str:
    return f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) "


def _code(place: int) -> str:
    """Return SQL for the code, padded to twelve digits, of the region at a place of `_TIERS` that holds village i."""
    parts = [f"printf('%02d', {_FIRST_PROVINCE} + i / {_TIERS[0][1]})"]
    for above, (_, each, digits) in pairwise(_TIERS):
        width = digits - above[2]
        parts.append(f"printf('%0{width}d', i % {above[1]} / {each} + 1)")
    zeros = "0" * (12 - _TIERS[place][2])
    return " || ".join([*parts[: place + 1], *([f"'{zeros}'"] if zeros else [])])


def _regions(engine: Engine, country: Country) -> None:
    """Insert every tier; larger ones once, by the first village in them."""
    with engine.begin() as conn:
        for place, (tier, each, _) in enumerate(_TIERS):
            path = " || '/' || ".join(_code(upper) for upper in range(place + 1))
            parent = _code(place - 1) if place else "NULL"
            where = "" if tier == "village" else f"WHERE i % {each} = 0"
            point = "18 + i % 700 * 0.05, 73 + i / 700 * 0.06" if tier == "village" else "NULL, NULL"
            conn.execute(
                text(
                    "INSERT INTO region (code, name, tier, parent, path, lat, lon, from_rev) "
                    f"{_numbers(country.villages)} "
                    f"SELECT {_code(place)}, '{tier} ' || i, '{tier}', {parent}, '/' || {path} || '/', {point}, 1 FROM n {where}"
                )
            )


def _people(engine: Engine, country: Country) -> None:
    numbers = _numbers(country.people)
    village = _code(len(_TIERS) - 1).replace("i ", f"(i * {country.villages} / {country.people}) ")
    kind = (
        f"CASE WHEN i % {country.seat_every} = 0 THEN 'person' ELSE 'household' END"
        if country.seat_every
        else "'household'"
    )
    with engine.begin() as conn:
        conn.execute(text(f"INSERT INTO recipient (no, id) {numbers} SELECT i + 1, 'r' || i FROM n"))
        conn.execute(
            text(
                f"INSERT INTO recipient_version (no, recipient_no, from_rev, kind, name, region, lang, phone) {numbers} "
                f"SELECT i + 1, i + 1, 1, {kind}, 'N', {village}, 'zh', printf('+86130%08d', i) FROM n"
            )
        )
        conn.execute(
            text(
                "INSERT INTO seat (version_no, role, region) SELECT no, 'information_officer', region "
                "FROM recipient_version WHERE kind = 'person'"
            )
        )
