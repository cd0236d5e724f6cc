"""Where the story is played: a founded store to copy for each run, and which deaths make the matrix."""

from dataclasses import dataclass
from pathlib import Path

from tests.crash.judge import Tally, judge
from tests.crash.story import PLANS, Lived, Points, live, people
from tests.simulation.county import found
from tests.simulation.virtual import LoopClock, VirtualLoop
from tests.simulation.world import settings_for
from tests.stores import copy, store_url
from warnd.daemon import Files, read_files
from warnd.settings import Settings

Deaths = tuple[int, ...]


@dataclass(slots=True)
class Theatre:
    """See the module; `folder` takes the stores."""

    folder: Path
    settings: Settings
    files: Files
    runs: int = 0

    @classmethod
    def open(cls, folder: Path) -> "Theatre":
        """Found the story's county once."""
        (folder / "plans.toml").write_text(PLANS, encoding="utf-8")
        settings = settings_for(folder, 'plans_file = "plans.toml"\n')
        loop = VirtualLoop()
        found(store_url(folder), folder, clock=LoopClock(loop), recipients=people())
        loop.close()
        return cls(folder, settings, read_files(settings))

    def play(self, kills: Deaths = ()) -> tuple[Points, Tally]:
        """Play the story on a store of its own and judge it.

        Raises:
            AssertionError: Something is not as it must be; with where the daemon died.
        """
        self.runs += 1
        tallies: list[Tally] = []

        async def check(lived: Lived) -> None:
            tallies.append(await judge(lived))

        lived = live(self._fresh(f"run{self.runs}"), settings=self.settings, files=self.files, kills=kills, check=check)
        assert len(lived.points.died_before) == len(kills), (kills, lived.points.died_before)
        return lived.points, tallies[0]

    def _fresh(self, name: str) -> str:
        home = self.folder / name
        home.mkdir()
        return copy(self.folder, home)


def every_point(points: Points) -> list[Deaths]:
    """Return a death between every two durable steps of a run, and at each step of the start after a death in mid-dispatch."""
    return [*((at,) for at in range(len(points))), *_at_the_start(points)]


def every_name(points: Points) -> list[Deaths]:
    """Return deaths such that each named step has had one right before and one right after it."""
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for at, names in enumerate(points):
        for name in names:
            before.setdefault(name, at)
            if at + 1 < len(points):
                after.setdefault(name, at + 1)
    chosen = sorted({*before.values(), *after.values()})
    return [*((at,) for at in chosen), *_at_the_start(points)]


def _at_the_start(points: Points) -> list[Deaths]:
    under_way = [at for at, names in enumerate(points) if "leaves: sms" in names][2]
    return [(under_way, under_way + step) for step in range(3)]


def died(points: Points, deaths: Deaths) -> tuple[set[str], set[str]]:
    """Return the names of the steps right before which, and right after which, the daemon of a run died at `deaths`."""
    before = {name for names in points.died_before for name in names}
    after = {name for at in deaths if at for name in points[at - 1]}
    return before, after
