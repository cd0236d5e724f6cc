"""A principal bound to a region or to senders decides about nothing else: neither approvals, nor rejections, nor Cancels."""

from pathlib import Path

from tests.simulation.county import TOWNSHIPS
from tests.simulation.documents import SENDER, document, flood
from tests.simulation.virtual import VirtualLoop, run
from tests.simulation.world import OPERATOR, running
from warnd.model.authority import Principal
from warnd.model.submission import Fate

_WRITER = Principal(name="writer", scope="submit")
_NEIGHBOUR = Principal(name="neighbour", scope="release", region=TOWNSHIPS[1][:9])
_STRANGER = Principal(name="stranger", scope="release", senders=frozenset({"other@example.org"}))
_LOCAL = Principal(name="local", scope="release", region=TOWNSHIPS[0][:9], senders=frozenset({SENDER}))


def test_who_is_bound_elsewhere_neither_approves_nor_rejects_nor_cancels(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            desk = world.daemon.desk
            waiting = await desk.submit(document(flood(codes=(TOWNSHIPS[0],))), by=_WRITER)
            assert waiting.fate is Fate.IN_REVIEW
            assert waiting.warning_id is not None
            for who in (_NEIGHBOUR, _STRANGER):
                assert (await desk.approve(waiting.warning_id, by=who)).fate is Fate.FORBIDDEN
                assert (await desk.reject(waiting.warning_id, by=who, reason="no")).fate is Fate.FORBIDDEN
            assert (await desk.approve(waiting.warning_id, by=_LOCAL)).fate is Fate.RELEASED
            for who in (_NEIGHBOUR, _STRANGER):
                refused = await desk.cancel(waiting.warning_id, kind="retract", reason="no", by=who)
                assert refused.fate is Fate.FORBIDDEN
            done = await desk.cancel(waiting.warning_id, kind="lift", reason="over", by=_LOCAL)
            assert done.fate is Fate.RELEASED, done
            await world.check_invariants()

    run(story(), loop)


def test_a_warning_beyond_the_region_of_who_brings_it_is_forbidden(tmp_path: Path) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with running(tmp_path, loop=loop) as world:
            wide = await world.daemon.desk.submit(document(flood()), by=_LOCAL)
            assert (wide.fate, [reason.code for reason in wide.reasons]) == (Fate.FORBIDDEN, ["region_not_allowed"])
            assert (await world.daemon.desk.submit(document(flood()), by=OPERATOR)).fate is Fate.RELEASED

    run(story(), loop)
