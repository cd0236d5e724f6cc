"""Scenario 16: a `sent` in the future beyond the tolerance is held; within it, it goes out."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.simulation.documents import flood
from tests.simulation.virtual import START, VirtualLoop, run
from tests.simulation.world import OPERATOR, running
from warnd.model.submission import Fate


@pytest.mark.parametrize(("ahead_s", "fate"), [(299, Fate.RELEASED), (300, Fate.RELEASED), (301, Fate.HELD)])
def test_the_future_beyond_the_tolerance_is_held_for_an_operator(tmp_path: Path, ahead_s: int, fate: Fate) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            submission = await world.submit(flood(sent=START + timedelta(seconds=ahead_s)))
            assert submission.fate is fate
            assert submission.warning_id is not None
            await world.clock.sleep(2)
            assert bool(world.phones.sent) == (fate is Fate.RELEASED)
            if fate is Fate.HELD:
                assert "sent_in_future" in {reason.code for reason in submission.reasons}
                approved = await world.daemon.desk.approve(submission.warning_id, by=OPERATOR)
                assert approved.fate is Fate.RELEASED
            await world.check_invariants()

    run(story(), loop)
