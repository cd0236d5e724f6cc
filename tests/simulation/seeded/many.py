"""Many seeds: as a test item, and in processes side by side."""

from collections.abc import Iterable
from dataclasses import replace

from tests.simulation.seeded.play import Played, play


def hold(seeds: Iterable[int]) -> None:
    """Play these seeds; fail with what each of them broke and the command that tells its story."""
    played = [play(seed) for seed in seeds]
    broken = [
        f"seed={one.seed}: {one.broken[0]}; python -m tests.simulation {one.seed}" for one in played if one.broken
    ]
    assert not broken, "\n".join(broken)
    assert any(one.calls for one in played), "nothing went over any network: these scenarios prove nothing"


def briefly(seed: int) -> Played:
    """Play a seed and bring back only what a list of many needs."""
    return replace(play(seed), story=(), record=())
