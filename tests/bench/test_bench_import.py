"""How fast a country is imported and targeted, beside the bare insertion of the same rows. Reports; never asserts a time.

Run: pytest tests/bench/test_bench_import.py -m bench -s
"""

import csv
import itertools
import math
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.cap.alerts import sample
from tests.fakes.register import KEY, Register, opened
from warnd.intake.importing.run import import_recipients, import_regions
from warnd.intake.importing.summary import Options, Summary
from warnd.intake.targeting import resolve
from warnd.model.cap import parse
from warnd.model.cap.alert import Area, Point

pytestmark = pytest.mark.bench

T = TypeVar("T")
VILLAGES, RECIPIENTS = 620_000, 1_000_000
Rows = Iterator[list[object]]


def regions(chance: random.Random) -> Rows:
    """Yield 31 provinces down to 620,000 villages with points."""
    yield ["code", "name", "tier", "parent", "lat", "lon", "population"]
    left = VILLAGES
    for province in range(31):
        yield [f"{11 + province}", "省", "province", "", "", "", ""]
        for city, county, town in itertools.product(range(1, 12), range(10), range(15)):
            if county == town == 0:
                yield [f"{11 + province}{city:02d}", "市", "city", "", "", "", ""]
            above = f"{11 + province}{city:02d}{county:02d}"
            if county and not town:
                yield [above, "县", "county", "", "", "", ""]
            if county and town and left:
                yield [f"{above}{town:03d}", "镇", "township", "", "", "", ""]
                for village in range(1, min(15, left) + 1):
                    lat, lon = f"{chance.uniform(18, 53):.5f}", f"{chance.uniform(73, 135):.5f}"
                    yield [f"{above}{town:03d}{village:03d}", "村", "village", "", lat, lon, chance.randint(50, 3000)]
                    left -= 1


def recipients(villages: list[str], chance: random.Random) -> Rows:
    """Yield officers, terminals and households, in no order."""
    yield ["id", "kind", "name", "region", "roles", "lang", "phone", "email", "lat", "lon", "public_key"]
    for n in range(RECIPIENTS):
        home = chance.choice(villages)
        if n % 17 == 0:
            yield [f"p{n}", "person", f"李{n}", home, "information_officer", "zh", f"138{n:08d}", "", "", "", ""]
        elif n % 50 == 0:
            yield [f"t{n}", "terminal", f"喇叭{n}", home, "", "", "", "", "", "", KEY]
        else:
            yield [f"h{n}", "household", f"户{n}", home, "", "zh", f"139{n:08d}", "", "", "", ""]


def write(path: Path, rows: Rows) -> list[str]:
    """Write the rows; return the first column of those called village."""
    villages = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow(row)
            if row[2] == "village":
                villages.append(str(row[0]))
    return villages


def timed(what: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\n{what}: {time.perf_counter() - start:.1f} s, at most {memory} MB", end="")  # noqa: T201 - the figures are the purpose
    return result


def bare(folder: Path, *paths: Path) -> int:
    """Insert the same rows into plain tables with one index and one commit: what no import can beat."""
    db = sqlite3.connect(folder / "bare.sqlite")
    for number, path in enumerate(paths):
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            columns = next(rows)
            db.execute(f"CREATE TABLE t{number} ({', '.join(columns)}, PRIMARY KEY ({columns[0]}))")
            db.executemany(f"INSERT INTO t{number} VALUES ({', '.join('?' * len(columns))})", rows)
    db.commit()
    count: int = db.execute("SELECT (SELECT count(*) FROM t0) + (SELECT count(*) FROM t1)").fetchone()[0]
    db.close()
    return count


def star(width: float, height: float) -> tuple[Point, ...]:
    """Return a ring of 6,773 points round the middle of the country, with half-axes in degrees."""
    chance = random.Random(3)
    ring = []
    for n in range(6772):
        turn, share = 2 * math.pi * n / 6772, chance.uniform(0.95, 1)
        ring.append((35.5 + height * share * math.sin(turn), 104 + width * share * math.cos(turn)))
    return (*ring, ring[0])


def reach(register: Register, polygon: tuple[Point, ...]) -> int:
    alert = parse(sample("flood_red.xml"))
    info = replace(alert.infos[0], areas=(Area(description="x", polygons=(polygon,)),))
    with register.reading() as conn:
        return len(resolve(conn, replace(alert, infos=(info,)), jurisdiction=()).roots)


def test_a_country(tmp_path: Path) -> None:
    chance = random.Random(1)
    places, people = tmp_path / "regions.csv", tmp_path / "recipients.csv"
    write(people, recipients(write(places, regions(chance)), chance))
    with opened(tmp_path) as register:

        def one(options: Options) -> Summary:
            return import_regions(places, door=register.door(), options=options)

        def two(options: Options) -> Summary:
            return import_recipients(people, door=register.door(), options=options, language="zh")

        first = timed("regions", lambda: one(Options()))
        second = timed("recipients", lambda: two(Options()))
        assert (first.problems.total, second.problems.total, second.new) == (0, 0, RECIPIENTS)
        assert first.new > VILLAGES
        assert timed("regions again", lambda: one(Options())).changes == 0
        assert timed("recipients again", lambda: two(Options())).changes == 0
        assert timed("the bare rows", lambda: bare(tmp_path, places, people)) == first.new + RECIPIENTS
        small, large = star(6, 3.5), star(30, 17)
        assert 0 < timed("a polygon over a province", lambda: reach(register, small)) < VILLAGES / 10
        assert timed("a polygon over the country", lambda: reach(register, large)) > VILLAGES / 2
