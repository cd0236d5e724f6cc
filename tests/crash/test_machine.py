"""A daemon whose disk is full and whose clock is set in the middle of a dispatch (docs/reliability.md has the others)."""

import asyncio
from pathlib import Path

from tests.crash.machine import DISK_FULL, FAULTS, MUST_BE_TOLD, may_mount, suffered
from tests.fakes.broker import needs_mosquitto
from tests.stores import only

_SAMPLE = ("store read-only", "clock 1 h forward and back")


@needs_mosquitto
@only("sqlite", "how a disk fails PostgreSQL is its own concern")
async def test_everything_goes_on_when_the_machine_is_well_again(tmp_path: Path) -> None:
    faults = [*_SAMPLE, *([DISK_FULL] if may_mount() else [])]
    homes = [tmp_path / str(number) for number in range(len(faults))]
    for home in homes:
        home.mkdir()
    outcomes = await asyncio.gather(*map(suffered, homes, faults))
    for outcome in outcomes:
        assert outcome.tally.lost == 0, outcome
        assert outcome.tally.repeats == outcome.tally.said
        assert bool(outcome.told) == (outcome.fault in MUST_BE_TOLD), outcome
    assert FAULTS.keys() >= MUST_BE_TOLD
