"""Runs the whole matrix of crashes and faults, and writes its tables.

    python -m tests.crash --write docs/reliability.md

Half an hour on two cores. What has run is kept in `--results`, so that an interrupted run goes on.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from tests import postgresql, stores
from tests.crash import far_side, machine, matrix
from tests.crash.machine import Outcome
from tests.crash.matrix import Deaths
from tests.crash.results import Results, kept, write


def main() -> int:
    """Run; return 1 if anything was not as it must be."""
    chosen = _chosen()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="crash") as scratch:
        results = Results()
        for name, run in _parts(Path(scratch), chosen).items():
            sys.stderr.write(f"{name} ...\n")
            setattr(results, name, kept(chosen.results, name, run))
    postgresql.stop()
    if chosen.write is not None:
        write(chosen.write, results.tables())
    else:
        sys.stdout.write(f"{results.tables()}\n")
    for violation in results.violations():
        sys.stderr.write(f"{violation}\n")
    return 1 if results.violations() else 0


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="Run the matrix of crashes and faults.")
    parser.add_argument("--write", type=Path, help="the document whose tables are renewed; without it they are printed")
    parser.add_argument("--results", type=Path, default=Path("var/crash"), help="a folder for what has run already")
    parser.add_argument("--kills", type=int, default=500, help="how many random kills")
    parser.add_argument("--seed", type=int, default=20260701, help="for the random kills")
    return parser.parse_args()


def _parts(scratch: Path, chosen: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    def home(name: str) -> Path:
        folder = scratch / name
        folder.mkdir()
        return folder

    parts: dict[str, Callable[[], Any]] = {
        "simulated": lambda: matrix.simulated(home("simulated")),
        "named": lambda: asyncio.run(matrix.named(home("named"))),
        "random": lambda: asyncio.run(matrix.random_moments(home("random"), chosen.kills, seed=chosen.seed)),
        "machine": lambda: _machine(home("machine")),
        "far_side": lambda: asyncio.run(far_side.every_fault(home("far_side"))),
    }
    if postgresql.programs() is not None:
        parts["on_postgresql"] = lambda: _on_postgresql(lambda: matrix.simulated(home("pg-simulated"), every=False))
        parts["named_on_postgresql"] = lambda: _on_postgresql(lambda: asyncio.run(matrix.named(home("pg-named"))))
    return parts


def _machine(folder: Path) -> list[Outcome]:
    faults = [fault for fault in machine.FAULTS if fault != machine.DISK_FULL or machine.may_mount()]
    homes = [folder / str(number) for number in range(len(faults))]
    for each in homes:
        each.mkdir()
    return [asyncio.run(machine.suffered(home, fault)) for home, fault in zip(homes, faults, strict=True)]


def _on_postgresql(run: Callable[[], Deaths]) -> Deaths:
    stores.use("postgresql")
    try:
        return run()
    finally:
        stores.use("sqlite")


if __name__ == "__main__":
    sys.exit(main())
