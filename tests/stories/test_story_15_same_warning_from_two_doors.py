"""Scenario 15: the same CAP by two roads goes out once; the same identifier with other content is quarantined and told."""

from dataclasses import replace
from pathlib import Path

from tests.simulation.documents import document, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, running, settings_for
from warnd.model.submission import Fate


def test_one_dispatch_for_two_copies_and_quarantine_for_a_forged_one(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        inbox = tmp_path / "inbox"
        inbox.mkdir()
        watching = settings_for(tmp_path, 'intake.watch_dir = "inbox"\n')
        async with running(tmp_path, loop=loop, settings=watching) as world:
            alert = flood()
            one = document(alert)
            spaced = one.replace(b">\n", b">\n\n    ")
            assert spaced != one
            alert_id = await world.release(alert)
            (inbox / "upstream.xml").write_bytes(spaced)
            assert world.daemon.folder is not None
            await world.daemon.folder.look()
            await world.daemon.folder.look()
            assert (inbox / "done" / "upstream.xml").exists()
            changed = tuple(replace(info, instruction="请留在家中。") for info in alert.infos)
            forged = await world.submit(replace(alert, infos=changed))
            assert forged.fate is Fate.QUARANTINED
            assert forged.warning_id not in (None, alert_id)
            again = await world.submit(replace(alert, infos=changed), by=OPERATOR)
            assert (again.fate, again.warning_id) == (Fate.QUARANTINED, forged.warning_id)
            await world.clock.sleep(3)
            assert len(world.texts_to("chief")) == 1
            assert await world.one("SELECT count(*) FROM message") == 1
            told = "SELECT count(*) FROM event WHERE kind = 'warning.received' AND message_id = :id"
            assert await world.one(told, id=forged.warning_id) == 1
            await world.check_invariants()

    run(story(), loop)
