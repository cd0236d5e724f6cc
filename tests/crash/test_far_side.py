"""Brokers, mail servers and gateways that die, hang, reset, answer garbage or answer too late (docs/reliability.md)."""

from pathlib import Path

from tests.crash.far_side import SIDES, every_fault
from tests.crash.line import FAULTS
from tests.fakes.broker import needs_mosquitto
from tests.stores import only

pytestmark = only("sqlite", "is about providers; what they do to a shared store, the stories show")


@needs_mosquitto
async def test_no_fault_of_the_other_side_loses_anything_or_holds_up_others(tmp_path: Path) -> None:
    cells = await every_fault(tmp_path)
    assert {(cell.side, cell.fault) for cell in cells} == {(side, fault) for side in SIDES for fault in FAULTS}
    assert {cell.unreached for cell in cells} == {0}
    unknown = {(cell.side, cell.fault) for cell in cells if cell.tries.get("unknown")}
    assert {side for side, _ in unknown} == set(SIDES), (
        "on each side some tries had met it already, and nobody knows whether they left"
    )
    for cell in cells:
        assert cell.tries or cell.told, ("nobody noticed", cell)
        assert cell.repeats >= cell.tries.get("unknown", 0), ("tried again without a word", cell)
