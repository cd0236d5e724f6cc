"""The table that `make bench` prints at its end: one row for each path, filled by the benches as they run. Writes nothing anywhere."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
"""Of the counts that the aims speak of; less for a quick look."""

_ROWS: list["Row"] = []


@dataclass(frozen=True, slots=True)
class Row:
    """One measured path."""

    path: str
    aim: str
    measured: str
    spread: str
    met: str


class Table:
    """Where benches put their figures."""

    def add(self, path: str, figures: Sequence[float], *, aim: str, met: bool | None, unit: str = "") -> None:
        """Add the median of figures.

        Args:
            path: What was measured.
            figures: One for each round.
            aim: As people say it.
            met: Whether the median meets it; None = there is no aim, the row is for comparison.
            unit: Behind every figure.
        """
        shown = [
            f"{each:,.0f}" if abs(each) >= 100 else f"{each:.3g}"
            for each in (median(figures), min(figures), max(figures))
        ]
        spread = f"[{shown[1]}..{shown[2]}] n={len(figures)}"
        _ROWS.append(Row(path, aim, f"{shown[0]}{unit}", spread, {True: "yes", False: "NO", None: "-"}[met]))

    def skip(self, path: str, why: str) -> None:
        """Say why a path was not measured."""
        _ROWS.append(Row(path, why, "not measured", "", "-"))


@pytest.fixture(scope="session")
def table() -> Table:
    """Return the run's table."""
    return Table()


@pytest.fixture(scope="module")
def twilio_port() -> Iterator[str]:
    """Run a port that answers every text at once, in a process of its own; give its address."""
    script = Path(__file__).with_name("twilio_port.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{int(running.stdout.readline())}"
        running.kill()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not _ROWS:
        return
    lines = [("path", "measured", "spread", "aim", "met")]
    lines += [(row.path, row.measured, row.spread, row.aim, row.met) for row in _ROWS]
    widths = [max(len(line[place]) for line in lines) for place in range(5)]
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    terminalreporter.write_sep("=", f"speed (medians; {os.cpu_count()} cores, load {load})")
    for line in lines:
        terminalreporter.write_line(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
