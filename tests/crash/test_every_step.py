"""DESIGN §11 after a death right before and right after each durable step of a whole story, in simulated time (docs/reliability.md)."""

from pathlib import Path

from tests.crash.judge import Tally
from tests.crash.theatre import Theatre, every_name
from tests.stores import only

pytestmark = only("sqlite", "python -m tests.crash does it on PostgreSQL, too, and writes what came of it")


def test_nothing_is_lost_wherever_it_dies(tmp_path: Path) -> None:
    theatre, total = Theatre.open(tmp_path), Tally()
    points, undisturbed = theatre.play()
    deaths = every_name(points)
    for kills in deaths:
        total.add(theatre.play(kills)[1])
    assert total.deaths == sum(map(len, deaths))
    assert total.lost == 0
    assert total.repeats == total.said
    assert total.repeats > undisturbed.repeats * len(deaths), "deaths that cost nothing prove nothing"
