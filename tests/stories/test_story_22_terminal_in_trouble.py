"""Scenario 22, without the climb: a loudspeaker that is busy with something higher, or whose amplifier is broken, is never green."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.acts import loudspeakers
from tests.simulation.county import VILLAGES
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import running
from warnd.channel import Presence
from warnd.ledger.views.coverage import coverage
from warnd.model.evidence import Evidence

SAID: dict[str, Mapping[str, Any]] = {
    "refused": {"stage": "failed", "reason": "higher_priority"},
    "amplifier": {"stage": "played", "amplifier": "fault", "reason": "amplifier"},
}


@pytest.mark.parametrize("reason", SAID)
def test_its_reason_is_shown_it_is_tried_again_and_the_village_is_not_confirmed(tmp_path: Path, reason: str) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        speakers = loudspeakers(VILLAGES, lambda _terminal, _before: SAID[reason])
        async with running(tmp_path, loop=loop, speakers=speakers) as world:
            for village in VILLAGES:
                alive = Presence("mqtt", False, f"term-{village}", True, "boot-1", 3_600, "synced", "ok", 80, None)
                await world.daemon.recorder.receipt(alive)
            alert_id = await world.release(flood())
            await world.clock.sleep(290)
            own = [one for one in world.speakers.sent if one.address == f"terminal:term-{VILLAGES[0]}"]
            assert len(own) >= 2
            assert await world.one("SELECT count(*) FROM target WHERE confirmed_at IS NOT NULL") == 0
            seen = await world.ledger.read(
                coverage, warning_id=alert_id, jurisdiction=(), now=world.clock.now(), limit=100
            )
            assert seen is not None
            assert [one.reason for one in seen.unconfirmed] == [reason] * len(VILLAGES)
            assert {one.detail for one in seen.unconfirmed} == {SAID[reason]["reason"]}
            expected = Evidence.DELIVERED if reason == "amplifier" else Evidence.ACCEPTED
            assert (await world.delivery(alert_id, f"term-{VILLAGES[0]}")).evidence == expected
            await world.check_invariants()

    run(story(), loop)
