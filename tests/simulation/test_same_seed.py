"""Same seed, same inputs: the same event log, byte for byte (DESIGN §11, 9)."""

from pathlib import Path

from tests.simulation.acts import BROKEN, THROTTLED, each, first, reporting
from tests.simulation.county import VILLAGES
from tests.simulation.documents import cancel_of, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import Act, accepts, obedient_phone, running, speakers_of
from warnd.channel import Unknown

Log = list[tuple[object, ...]]


def _phones() -> Act:
    return each(
        {
            f"officer-{VILLAGES[0]}": first([BROKEN, BROKEN]),
            f"officer-{VILLAGES[1]}": first([THROTTLED]),
            f"officer-{VILLAGES[2]}": first([Unknown("no answer in time")]),
            f"officer-{VILLAGES[3]}": reporting,
            f"home-{VILLAGES[0]}": first([BROKEN], then=accepts),
        },
        obedient_phone,
    )


def _log(folder: Path, *, seed: int) -> Log:
    """Run a whole warning with failures, repeats and a Cancel; return every event."""
    loop = VirtualLoop()
    folder.mkdir()

    async def story() -> Log:
        async with running(
            folder, loop=loop, phones=_phones(), speakers=first([BROKEN], then=speakers_of(VILLAGES)), seed=seed
        ) as world:
            alert = flood()
            await world.release(alert)
            await world.clock.sleep(240)
            await world.release(cancel_of(alert))
            await world.clock.sleep(60)
            await world.check_invariants()
            return [tuple(row) for row in await world.query("SELECT * FROM event ORDER BY no")]

    return run(story(), loop)


def test_the_same_seed_gives_the_same_events_byte_for_byte(tmp_path: Path) -> None:
    one, two = _log(tmp_path / "one", seed=7), _log(tmp_path / "two", seed=7)
    assert repr(one).encode() == repr(two).encode()
    kinds = {str(row[4]) for row in one}
    assert {"attempt.recorded", "evidence.rose", "village.confirmed", "message.closed", "playback"} <= kinds


def test_another_seed_gives_other_events(tmp_path: Path) -> None:
    one, other = _log(tmp_path / "one", seed=7), _log(tmp_path / "other", seed=8)
    ids = [{row[5] for row in log if row[5]} for log in (one, other)]
    assert not ids[0] & ids[1]
    submitted = [[row[3] for row in log if row[4] == "attempt.submitting"] for log in (one, other)]
    assert submitted[0] != submitted[1], "the back-off owes nothing to chance"
