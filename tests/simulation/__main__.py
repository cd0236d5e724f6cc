"""`python -m tests.simulation SEED` tells the story of one seed; `--seeds N [--from SEED] [--jobs N]` plays many and names the broken."""

import argparse
import sys
from multiprocessing import get_context

from tests.simulation.seeded.many import briefly
from tests.simulation.seeded.play import Played, play


def main() -> int:
    """Run what the command line asks for; 1 if anything was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="play this one and tell its story")
    parser.add_argument("--seeds", type=int, default=0, help="how many to play")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first of them; 1 unless told")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--record", action="store_true", help="show the store's own record of one seed, too")
    given = parser.parse_args()
    if given.seed is None and not given.seeds:
        parser.error("say which seed to play, or how many with --seeds")
    return (
        _one(given.seed, record=given.record)
        if given.seed is not None
        else _many(given.first, given.seeds, jobs=given.jobs)
    )


def _one(seed: int, *, record: bool) -> int:
    played = play(seed)
    if record:
        _say(*played.record)
    _say(*played.story)
    _say(f"seed={seed} {played.simulated_s:.0f} simulated s, {played.calls} network calls, record {played.digest[:16]}")
    return _tell(played)


def _many(first: int, count: int, *, jobs: int) -> int:
    failed: list[int] = []
    with get_context("spawn").Pool(jobs) as pool:
        for number, played in enumerate(pool.imap_unordered(briefly, range(first, first + count), chunksize=8), 1):
            if _tell(played):
                failed.append(played.seed)
            if number % 1000 == 0:
                _say(f"{number} seeds played, {len(failed)} failed")
    _say(f"{count} seeds from {first}: {len(failed)} failed {sorted(failed)[:50]}")
    return 1 if failed else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _tell(played: Played) -> int:
    if played.broken:
        _say(f"seed={played.seed} FAILED: {played.broken[0]}")
        _say(f"    replay it with: python -m tests.simulation {played.seed}")
    return 1 if played.broken else 0


if __name__ == "__main__":
    sys.exit(main())
