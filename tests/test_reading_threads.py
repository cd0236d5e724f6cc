"""What takes long to judge is judged beside the event loop, so that receipts and cancels are taken meanwhile."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cap.alerts import AREA, with_area
from tests.fakes.clock import HandClock
from tests.stores import store_url
from warnd.intake.reading import Policy, Reader
from warnd.ledger.store import open_inline
from warnd.model import cap
from warnd.model.cap import LevelRules, write
from warnd.model.level import Level
from warnd.model.reason import Reason


@pytest.mark.parametrize(("areas", "on_the_loop"), [(1, True), (1352, False)])
async def test_long_documents_are_judged_in_another_thread(tmp_path: Path, *, areas: int, on_the_loop: bool) -> None:
    judged_in: list[int] = []

    def elements(_alert: cap.Alert, _level: Level | None) -> tuple[Reason, ...]:
        judged_in.append(threading.get_ident())
        return ()

    policy = Policy(
        plans=(), levels=LevelRules(), jurisdiction=(), future_tolerance_s=60, elements=elements, drills=False
    )
    ledger = open_inline(store_url(tmp_path))
    reader = Reader(ledger, HandClock(), policy=policy)
    document = write(with_area(*(replace(AREA, description=f"village {number}") for number in range(areas))))
    reading = await reader.read(document, await reader.parse(document))
    await ledger.close()
    assert [each == threading.get_ident() for each in judged_in] == [on_the_loop]
    assert len(reading.alert.infos[0].areas) == areas
