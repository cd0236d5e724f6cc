"""The log follows the record: with warning ids, without addresses, and only what was committed."""

from pathlib import Path

from structlog.testing import capture_logs

from tests.simulation.documents import document, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, running


def test_the_log_names_the_warning_and_never_a_phone(tmp_path: Path) -> None:
    loop = VirtualLoop()
    told: list[str] = []

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            await world.clock.sleep(1)
            submission = await world.daemon.desk.submit(document(flood(level="blue")), by=OPERATOR)
            told.append(str(submission.warning_id))

            async def completed() -> bool:
                return bool(await world.query("SELECT no FROM warning WHERE state = 'completed'"))

            await world.until(completed)
            assert any("1380000" in sent.address for sent in world.phones.sent)
            await world.clock.sleep(2)

    with capture_logs() as captured:
        run(story(), loop)
    kinds = {str(line["event"]) for line in captured if line.get("warning_id") == told[0]}
    assert {"warning.received", "warning.moved", "message.opened", "message.planned", "attempt.submitting"} <= kinds
    assert not any("1380000" in str(line) for line in captured)
