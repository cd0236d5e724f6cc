"""The thinnest road: one warning from CAP to confirmed villages, in simulated time."""

from pathlib import Path

from tests.simulation.county import VILLAGES
from tests.simulation.documents import document, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, running, speakers_of
from warnd.model.submission import Fate


def test_a_red_warning_reaches_and_confirms_every_village(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop, speakers=speakers_of(VILLAGES)) as world:
            submission = await world.daemon.desk.submit(document(flood()), by=OPERATOR)
            assert submission.fate is Fate.RELEASED, submission

            async def all_confirmed() -> bool:
                rows = await world.query("SELECT confirmed FROM village_tally WHERE region = ''")
                return bool(rows) and rows[0].confirmed == len(VILLAGES)

            await world.until(all_confirmed, within_s=120)
            await world.check_invariants()
            late = await world.query("SELECT late FROM village_tally WHERE region = ''")
            assert late[0].late == 0
            public = [each for each in world.phones.sent if each.recipient and each.recipient.startswith("home")]
            assert len(public) == 3 * len(VILLAGES)
            assert all("回复" not in each.texts[0].text for each in public)

    run(story(), loop)
