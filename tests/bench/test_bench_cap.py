"""How fast CAP is read and judged, beside the bare XML parser in the same run. Reports; never asserts a time.

Run: pytest tests/bench/test_bench_cap.py -m bench -s
"""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from tests.cap.alerts import AREA, judged, sample, with_area
from warnd.model.cap import parse, write

pytestmark = pytest.mark.bench


def per_second(work: Callable[[], object], for_s: float = 0.3) -> float:
    """Return how often `work` was done in a second of this process's own time, the best of three runs."""
    best = 0.0
    for _ in range(3):
        rounds, start = 0, time.process_time()
        while (spent := time.process_time() - start) < for_s:
            work()
            rounds += 1
        best = max(best, rounds / spent)
    return best


def report(name: str, document: bytes) -> None:
    alert = parse(document)
    bare = per_second(lambda: etree.fromstring(document))
    ours = per_second(lambda: judged(parse(document)))
    out = per_second(lambda: write(alert))
    print(  # noqa: T201 - the figures are what a benchmark is run for
        f"\n{name}: {len(document)} bytes; bare lxml parse {bare:,.0f}/s; parse and check {ours:,.0f}/s, "
        f"{bare / ours:.1f} times the bare parse; write {out:,.0f}/s"
    )
    assert judged(alert) == judged(parse(write(alert)))


def test_a_typical_alert_of_4_kb() -> None:
    report("typical alert", sample("flood_red.xml"))


def test_an_alert_of_1352_areas() -> None:
    square = "31.0,104.0 31.0,104.2 31.2,104.2 31.2,104.0 31.0,104.0"
    ring = tuple((float(lat), float(lon)) for lat, lon in (pair.split(",") for pair in square.split()))
    areas = [replace(AREA, description=f"village {n}", polygons=(ring,)) for n in range(1352)]
    report("1,352 areas", write(with_area(*areas)))


def test_an_alert_of_6773_points() -> None:
    there = [(30 + n * 0.0005, 104.0 + (n % 2) * 0.0001) for n in range(3386)]
    back = [(lat, lon + 0.5) for lat, lon in reversed(there)]
    report("6,773 points", write(with_area(geocodes=(), polygons=((*there, *back, there[0]),))))
