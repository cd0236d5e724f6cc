"""No durable step is forgotten: not one that the story takes, not one that the daemon can take, not one that the document shows."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.crash.far_side import SIDES
from tests.crash.line import FAULTS
from tests.crash.machine import FAULTS as OF_THE_MACHINE
from tests.crash.results import BEGIN, END
from tests.crash.steps import ELSEWHERE, KNOWN, STEPS
from tests.crash.theatre import Theatre, every_point

ROOT = Path(__file__).parents[2]
WRITERS = ("daemon", "dispatch", "intake", "web")
ONLY_OF_SEVERAL = {
    "time: lapse"
}  # A lease that ends while its worker lives, or dies beside others (tests/test_workers*.py).


def test_the_story_takes_every_step_and_no_other(tmp_path: Path) -> None:
    theatre = Theatre.open(tmp_path)
    points, _ = theatre.play()
    after_a_death, _ = theatre.play(every_point(points)[-1])
    taken = {name for names in (*points, *after_a_death) for name in names}
    assert taken == STEPS.keys() - ONLY_OF_SEVERAL, "a new step needs a line in tests/crash/steps.py"


def test_every_operation_that_the_daemon_writes_by_is_a_step_or_told_why_not() -> None:
    written = {name for part in WRITERS for path in (ROOT / "warnd" / part).rglob("*.py") for name in _operations(path)}
    assert written - KNOWN - ELSEWHERE.keys() == set(), "name it in tests/crash/steps.py"


def _operations(path: Path) -> Iterator[str]:
    """Yield the operations that a module hands to a ledger's `write`: "claims.claim", or "planner._step" for its own."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ledger, attr="write"), args=[first, *_]) if "ledger" in ast.unparse(
                ledger
            ):
                name = ast.unparse(first)
                yield name if "." in name else f"{path.stem}.{name}"


def test_the_document_shows_exactly_what_the_matrix_has() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    tables = text.partition(BEGIN)[2].partition(END)[0]
    rows = {section.split("\n")[0]: _first_cells(section) for section in tables.split("### ")[1:]}
    assert set(rows["The durable steps"]) == set(STEPS)
    assert set(rows["Faults of the machine"]) == set(OF_THE_MACHINE)
    pairs = [tuple(line.split(" | ")[:2]) for line in tables.split("### ")[-1].splitlines() if line.startswith("| ")]
    shown = {(side.removeprefix("| "), fault) for side, fault in pairs[1:]}
    assert shown == {(side, fault) for side in SIDES for fault in FAULTS}


def _first_cells(section: str) -> list[str]:
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.split(" | ")[0].removeprefix("| ") for line in lines[1:]]
