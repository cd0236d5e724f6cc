"""A real daemon in a real centre, killed with SIGKILL right before and right after durable steps (docs/reliability.md)."""

from pathlib import Path

from tests.crash.killing import at_points
from tests.crash.serve import Point
from tests.fakes.broker import needs_mosquitto

# In the order of a warning's road. `python -m tests.crash` takes every step that there is.
SAMPLE = (
    Point("after", "accept: in review"),
    Point("before", "approve"),
    Point("after", "plan: audience"),
    Point("after", "claim: sms"),
    Point("after", "leaves: email"),
    Point("before", "outcome: accepted"),
    Point("after", "leaves: mqtt"),
    Point("before", "confirmed: mqtt"),
    Point("before", "confirmed: sms"),
    Point("after", "receipt: reply"),
    Point("before", "answer: submitter"),
    Point("after", "plan: carry"),
)


@needs_mosquitto
async def test_nothing_is_lost_by_a_process_that_is_killed(tmp_path: Path) -> None:
    tally, missed = await at_points(tmp_path, SAMPLE)
    assert missed == []
    assert tally.deaths == len(SAMPLE)
    assert tally.lost == 0
    assert tally.warnings > 0
    assert tally.repeats == tally.said
