"""Scenario 22 with the real daemon, broker and terminal: what keeps a loudspeaker from being heard is shown, tried again, never green."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.broker import needs_mosquitto
from tests.fakes.countryside import Countryside, countryside, password_of, terminal_of
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from warnd.clock import SystemClock

pytestmark = needs_mosquitto

VILLAGE = VILLAGES[0]
HERE = terminal_of(VILLAGE)


@asynccontextmanager
async def terminal(centre: Countryside, *, amplifier: Path) -> AsyncIterator[None]:
    """Run the village's terminal with somebody watching its amplifier."""
    words = ["--silent", "--id", HERE, "--region", VILLAGE, "--amplifier-file", str(amplifier), "--heartbeat", "1"]
    words += [
        "--broker",
        f"mqtt://{centre.broker.host}:{centre.broker.port}",
        "--trust",
        str(centre.folder / "trust.json"),
    ]
    words += ["--key", str(centre.folder / f"{HERE}.pem"), "--state", str(centre.folder / "state")]
    environment = os.environ | {
        "PATH": f"{centre.folder / 'bin'}:{os.environ['PATH']}",
        "WARND_TERMINAL_PASSWORD": password_of(HERE),
    }
    with (centre.folder / "terminal.log").open("ab") as log:
        command = [sys.executable, "-m", "warnd", "terminal", "run", *words]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


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
    async with countryside(tmp_path, villages=(VILLAGE,), tries=20) as centre, terminal(centre, amplifier=amplifier):
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
