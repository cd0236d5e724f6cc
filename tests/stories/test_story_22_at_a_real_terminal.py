"""Scenario 22 with the real daemon, broker and terminal: what keeps a loudspeaker from being heard is shown, tried again, never green."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import Countryside, countryside, terminal_of
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from warnd.clock import SystemClock

pytestmark = needs_mosquitto

VILLAGE = VILLAGES[0]
HERE = terminal_of(VILLAGE)


async def _shown(centre: Countryside, warning: str) -> dict[str, Any]:
    """Return the village among those that have not heard, or nothing."""
    seen = await centre.ask(f"/api/v1/warnings/{warning}/coverage", limit=1000)
    return next((one for one in seen["unconfirmed"] if one["code"] == VILLAGE), {})


def _played(centre: Countryside, warning: str) -> list[tuple[Any, ...]]:
    return centre.rows("SELECT amplifier FROM terminal_receipt WHERE message_id = :id AND stage = 'played'", id=warning)


async def test_a_dead_amplifier_is_shown_and_tried_again_and_the_village_is_green_only_when_it_works(
    tmp_path: Path,
) -> None:
    amplifier = tmp_path / "amplifier"
    amplifier.write_text("fault")
    watched = ("--amplifier-file", str(amplifier), "--heartbeat", "1")
    async with countryside(tmp_path, villages=(VILLAGE,), tries=20) as centre, centre.loudspeaker(VILLAGE, *watched):
        await centre.until_terminal(HERE, online=True, amplifier="fault")
        warning = await centre.release(flood(codes=(VILLAGE,), sent=SystemClock().now().replace(microsecond=0)))

        async def fault_is_shown() -> bool:
            told = await _shown(centre, warning)
            return (told.get("reason"), told.get("detail")) == ("amplifier", "amplifier")

        await centre.until(fault_is_shown)
        assert {row[0] for row in _played(centre, warning)} == {"fault"}

        async def tried_again() -> bool:
            tries = "SELECT max(attempts) FROM leg WHERE address = :address"
            return bool(centre.rows(tries, address=f"terminal:{HERE}")[0][0])

        await centre.until(tried_again)
        assert await _shown(centre, warning), "played into a dead amplifier, so nobody has heard"
        amplifier.write_text("ok")

        async def green() -> bool:
            return not await _shown(centre, warning)

        await centre.until(green)
        assert ("ok",) in _played(centre, warning)


async def test_a_lesser_warning_that_a_graver_one_cut_off_says_so_and_is_not_green(tmp_path: Path) -> None:
    now = SystemClock().now().replace(microsecond=0)
    async with countryside(tmp_path, villages=(VILLAGE,), tries=20) as centre, centre.loudspeaker(VILLAGE):
        await centre.until_terminal(HERE, online=True)
        centre.takes_to_say(60.0)
        lesser = await centre.release(flood(level="orange", codes=(VILLAGE,), sent=now))
        await centre.until(_sounding(centre, lesser))
        centre.takes_to_say(0.1)
        graver = await centre.release(flood(identifier="QH-2", codes=(VILLAGE,), sent=now))

        async def cut_off_is_shown() -> bool:
            told = await _shown(centre, lesser)
            return (told.get("reason"), told.get("detail")) == ("refused", "higher_priority")

        await centre.until(cut_off_is_shown)

        async def graver_is_green() -> bool:
            return not await _shown(centre, graver)

        await centre.until(graver_is_green)
        assert await _shown(centre, lesser), "it was cut off, so nobody has heard it whole"


def _sounding(centre: Countryside, warning: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        begun = "SELECT 1 FROM terminal_receipt WHERE message_id = :id AND stage = 'playing'"
        return bool(centre.rows(begun, id=warning))

    return look
