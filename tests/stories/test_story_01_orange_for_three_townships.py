"""Scenario 1: an orange warning; what the gateway took, what arrived and who answered stand side by side and are never added up."""

from pathlib import Path

from tests.simulation.acts import each, reporting
from tests.simulation.county import COUNTY, TOWNSHIPS, VILLAGES, recipients_csv, regions_csv
from tests.simulation.documents import flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import accepts, running, speakers_of
from warnd.ledger.views.totals import totals

THIRD = "519999103"
_REGIONS = (
    f"{THIRD},金沙镇,township,519999,30.25,103.05,9000,Jinsha\n{THIRD}201,金沙1村,village,{THIRD},30.25,103.02,300,J1\n"
)
_PEOPLE = (
    f"officer-{THIRD}201,person,金一,{THIRD}201,information_officer,zh,13800000031,,,,\n"
    f"leader-{THIRD}000,person,金二,{THIRD},township_leader,zh,13600000031,,,,\n"
)


def test_an_operator_sees_accepted_delivered_and_acknowledged_apart(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        phones = each({f"officer-{VILLAGES[0]}": accepts, f"leader-{TOWNSHIPS[0]}": reporting, "home": accepts})
        async with running(
            tmp_path,
            loop=loop,
            phones=phones,
            speakers=speakers_of(VILLAGES[:5]),
            regions=regions_csv() + _REGIONS,
            recipients=recipients_csv() + _PEOPLE,
        ) as world:
            townships = (*TOWNSHIPS, f"{THIRD}000")
            alert_id = await world.release(flood(level="orange", codes=townships))
            await world.clock.sleep(60)
            seen = (await world.ledger.read(totals, ids=[alert_id]))[alert_id].evidence
            people = 7 + 3 + 1  # Officers, township leaders, the county's leader above them.
            assert seen.acknowledged == people - 2
            assert seen.presented == 5
            assert seen.delivered == 1
            assert seen.accepted == 1 + 1 + 18  # The silent officer, the loudspeaker that is off, the households.
            assert seen.none == 0
            assert (await world.delivery(alert_id, "chief")).region == COUNTY
            assert not world.texts_to(f"deputy-{VILLAGES[0]}")
            confirmed = await world.query("SELECT code FROM target WHERE confirmed_at IS NOT NULL")
            assert {row.code for row in confirmed} == set(VILLAGES[1:5])
            await world.check_invariants()

    run(story(), loop)
