"""A county's whole fleet at a real broker and a real daemon. The broker is killed while every loudspeaker has receipts outstanding.

A thousand of them run with every change; five thousand with `pytest -m bench tests/fleet -s`, which also prints what was measured.
"""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.broker import needs_mosquitto
from tests.fleet.centre import County, county, until_seldom
from tests.waiting import until

pytestmark = needs_mosquitto

SETTLES_WITHIN_S = 30.0
PASS_S = 3.0  # Long enough for thousands to hear of a warning before the first of them has played it.
PASS_OF_FEW_S = 1.0
RECEIPTS_EACH = 3  # received, playing, played


@dataclass(slots=True)
class Took:
    """What one storm took, in seconds from the release, or from the broker's return."""

    heard_s: float
    committed_before: int
    connected_s: float
    settled_s: float

    def __str__(self) -> str:
        return (
            f"heard by all in {self.heard_s:.1f} s; {self.committed_before} receipts committed before the kill; after it "
            f"all connected in {self.connected_s:.1f} s, all settled in {self.settled_s:.1f} s"
        )


async def test_a_thousand_loudspeakers_lose_no_receipt_when_the_broker_is_killed_and_forgets_everything(
    tmp_path: Path,
) -> None:
    async with county(tmp_path, count=1000, pass_s=PASS_OF_FEW_S) as here:
        took = await _storm(here)
    assert took.settled_s <= SETTLES_WITHIN_S


@pytest.mark.bench
@pytest.mark.parametrize(
    "saved", [False, True], ids=["the broker forgets everything", "the broker had saved its sessions"]
)
async def test_five_thousand_loudspeakers_settle_within_half_a_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, saved: bool
) -> None:
    async with county(tmp_path, count=5000, pass_s=PASS_S) as here:
        if saved:
            here.broker.signal(signal.SIGUSR1)
            here.broker.wait_for("Saving in-memory database")
        took = await _storm(here)
    with capsys.disabled():
        print(f"\n5,000 loudspeakers: {took}")  # noqa: T201 - the figures are what a benchmark is run for
    assert took.settled_s <= SETTLES_WITHIN_S


async def _storm(here: County) -> Took:
    """Release a warning to the whole fleet, kill the broker before its receipts are in, and wait until nothing is outstanding."""
    steady, now = _online_since(here), asyncio.get_running_loop().time
    began = now()
    await here.release()
    await until(lambda: all(speaker.heard for speaker in here.speakers), timeout_s=60)
    heard_s = now() - began
    await until(lambda: here.outstanding() == len(here.speakers) or all(one.said > 1 for one in here.speakers))
    here.broker.kill()
    committed_before = here.number("SELECT count(*) FROM terminal_receipt")
    await until(lambda: here.online() == 0)
    await until(lambda: all(speaker.said == RECEIPTS_EACH for speaker in here.speakers))
    assert here.outstanding() == len(here.speakers), (
        "each has at least its playback to prove when the broker comes back"
    )
    here.broker.start()
    began = now()
    await until(lambda: here.online() == len(here.speakers), timeout_s=60)
    connected_s = now() - began
    await until_seldom(lambda: here.outstanding() == 0, timeout_s=120)
    settled_s = now() - began
    await _check(here, steady)
    return Took(heard_s, committed_before, connected_s, settled_s)


async def _check(here: County, steady: Mapping[str, int]) -> None:
    kept = here.rows("SELECT terminal, boot_id, n FROM terminal_receipt")
    expected = {(one.terminal, one.boot_id, n) for one in here.speakers for n in range(1, RECEIPTS_EACH + 1)}
    assert len(kept) == len(expected)
    assert set(kept) == expected
    assert await here.shown_offline() == []
    assert _online_since(here) == steady, "nobody was shown to go and come back"
    assert here.number("SELECT count(*) FROM target WHERE tier = 'village' AND confirmed_at IS NULL") == 0
    assert {words for one in here.speakers for words in one.refused} == set()


def _online_since(here: County) -> dict[str, int]:
    """Return since when the daemon has had each loudspeaker on line; that changes whenever one is shown to come or go."""
    return dict(here.rows("SELECT terminal, since FROM terminal_state WHERE drill = 0 AND online = 1"))
