"""What a run of the matrix found, kept in files so that a run that was interrupted goes on, and written as tables."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from tests.crash.far_side import Cell
from tests.crash.judge import Tally
from tests.crash.machine import Outcome
from tests.crash.matrix import Deaths
from tests.crash.steps import STEPS

BEGIN, END = "<!-- The tables: written by `python -m tests.crash`. -->", "<!-- End of the tables. -->"
_TALLY: Final = ("warnings", "deliveries", "sent", "repeats", "said", "confirmed", "lost")
_NUMBERS: Final = (
    "| warnings | deliveries | sent | of these repeats | that say so | receipts confirmed | lost | violations |"
)


@dataclass(slots=True)
class Results:
    """Everything that a document shows; what did not run is None."""

    simulated: Deaths | None = None
    named: Deaths | None = None
    random: Deaths | None = None
    on_postgresql: Deaths | None = None
    named_on_postgresql: Deaths | None = None
    machine: list[Outcome] | None = None
    far_side: list[Cell] | None = None

    def tables(self) -> str:
        """Return the tables in Markdown."""
        return f"{self._deaths()}\n\n{self._steps()}\n\n{self._machines()}\n\n{self._cells()}"

    def violations(self) -> list[str]:
        """Return everything that was not as it must be."""
        return [each for deaths in self._kinds().values() for each in deaths.violations]

    def _kinds(self) -> dict[str, Deaths]:
        kinds = {
            "SQLite, simulated time, between every two steps": self.simulated,
            "SQLite, SIGKILL at named steps": self.named,
            "SQLite, SIGKILL at random moments": self.random,
            "PostgreSQL, simulated time, before and after each step": self.on_postgresql,
            "PostgreSQL, SIGKILL at named steps": self.named_on_postgresql,
        }
        return {name: deaths for name, deaths in kinds.items() if deaths is not None}

    def _deaths(self) -> str:
        rows = [
            f"| {name} | {deaths.tally.deaths} | {_numbers(deaths.tally)} | {len(deaths.violations)} |"
            for name, deaths in self._kinds().items()
        ]
        total, wrong = Tally(), sum(len(deaths.violations) for deaths in self._kinds().values())
        for deaths in self._kinds().values():
            total.add(deaths.tally)
        rows.append(f"| **together** | {total.deaths} | {_numbers(total)} | {wrong} |")
        return _table("### Deaths", f"| how | deaths {_NUMBERS}", rows)

    def _steps(self) -> str:
        simulated, killed = self.simulated or Deaths(), self.named or Deaths()
        rows = [
            f"| {name} | {what} | {simulated.before[name]} / {simulated.after[name]} | {killed.before[name]} / {killed.after[name]} |"
            for name, what in STEPS.items()
        ]
        head = "| step | what is durable after it | simulated: died before / after | SIGKILL: before / after |"
        return _table("### The durable steps", head, rows)

    def _machines(self) -> str:
        rows = [f"| {one.fault} | {_short(one.told)} | {_numbers(one.tally)} | 0 |" for one in self.machine or ()]
        return _table("### Faults of the machine", f"| fault | what `/readyz` says meanwhile {_NUMBERS}", rows)

    def _cells(self) -> str:
        rows = [
            f"| {one.side} | {one.fault} | {_became(one.tries)} | {_short(one.told)} | {one.repeats} | {one.unreached} |"
            for one in self.far_side or ()
        ]
        head = "| other side | it … | tries that met the fault | what `/readyz` says | repeats, each says so | never reached |"
        return _table("### Faults of the other side", head, rows)


def _table(title: str, head: str, rows: Sequence[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([title, "", head, "|" + "---|" * columns, *rows])


def _numbers(tally: Tally) -> str:
    return " | ".join(str(getattr(tally, name)) for name in _TALLY)


def _became(tries: Mapping[str, int]) -> str:
    met = {state: number for state, number in tries.items() if state != "accepted"}
    return ", ".join(f"{number} {state}" for state, number in sorted(met.items())) or "none was made"


def _short(told: str) -> str:
    """Return what operators read, without this run's ports, times and counts."""
    words = told.partition(". ")[0].partition("; check")[0].partition(" since ")[0].partition(" (")[0]
    cut = words.partition("127.0.0.1:")
    return (cut[0] + "…" + cut[2].lstrip("0123456789") if cut[1] else words) or "nothing"


def write(path: Path, tables: str) -> None:
    """Put the tables in their place in a document."""
    text = path.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", "utf-8")


# ---- files ---------------------------------------------------------------------------------------------------------------------------


def kept(folder: Path, name: str, run: Callable[[], Any]) -> Any:
    """Return what a part of the matrix found: from its file if it ran before, else by running it now."""
    file = folder / f"{name}.json"
    if not file.exists():
        found = run()
        file.write_text(json.dumps(_plain(found), ensure_ascii=False, indent=1), "utf-8")
    return _made(name, json.loads(file.read_text("utf-8")))


def _plain(found: Any) -> Any:
    return [_flat(one) for one in found] if isinstance(found, list) else _flat(found)


def _flat(one: Any) -> dict[str, Any]:
    """Return a finding's fields; `asdict` would rebuild each Counter and count its pairs."""
    values = {each.name: getattr(one, each.name) for each in fields(one)}
    return {name: asdict(value) if isinstance(value, Tally) else value for name, value in values.items()}


def _made(name: str, document: Any) -> Any:
    if name == "machine":
        return [Outcome(**{**one, "tally": Tally(**one["tally"])}) for one in document]
    if name == "far_side":
        return [Cell(**one) for one in document]
    counts = {key: Counter(document[key]) for key in ("before", "after")}
    return Deaths(**{**document, **counts, "tally": Tally(**document["tally"])})
