"""The import of geocode aliases. They are few thousands at most and are replaced in one transaction."""

from pathlib import Path

from warnd.intake.importing.aliases import HEADER, read_alias
from warnd.intake.importing.door import Door
from warnd.intake.importing.problem import Problem
from warnd.intake.importing.rows import read_rows
from warnd.intake.importing.summary import Options, Summary
from warnd.ledger import directory
from warnd.ledger.enrolment import aliases
from warnd.ledger.enrolment.aliases import Key


class AliasImport:
    """One run over one file."""

    def __init__(self, path: Path, *, door: Door, options: Options) -> None:
        self._path = path
        self._door = door
        self._options = options
        self._found: dict[Key, str] = {}
        self._lines: dict[Key, int] = {}
        self._put: dict[Key, str] = {}
        self._gone: list[Key] = []
        self.summary = Summary("aliases", options.dry_run)

    def read(self) -> None:
        """Take in every row that is sound in itself."""
        problems = self.summary.problems
        for row in read_rows(self._path, header=HEADER, problems=problems, progress=self._options.progress):
            self.summary.rows += 1
            entry = read_alias(row, problems)
            if entry is None:
                continue
            key, code = entry
            if key in self._found:
                cause = f"{key[0]} {key[1]} stands in line {self._lines[key]} already"
                problems.add(Problem(row.line, row.feature, "value", cause, "Keep one of the two."))
                continue
            self._found[key], self._lines[key] = code, row.line

    def check(self) -> None:
        """Find the regions."""
        with self._door.read() as conn:
            paths = directory.paths(conn, codes=sorted(set(self._found.values())))
        for key, code in self._found.items():
            if code not in paths:
                cause = f"region {code} is not in the directory"
                fix = "Correct it, or import that region first."
                self.summary.problems.add(Problem(self._lines[key], None, "region", cause, fix))

    def compare(self, _rev: int) -> None:
        """Count what changes."""
        with self._door.read() as conn:
            standing = aliases.standing(conn)
        self._put = {key: code for key, code in self._found.items() if standing.get(key) != code}
        self._gone = [key for key in standing if key not in self._found] if self._options.prune else []
        self.summary.new = sum(key not in standing for key in self._put)
        self.summary.changed = len(self._put) - self.summary.new
        self.summary.unchanged = len(self._found) - len(self._put)
        self.summary.removed = len(self._gone)

    def publish(self, rev: int) -> None:
        """Write all of it, as one revision."""
        with self._door.publish(rev) as conn:
            if self._put:
                aliases.put(conn, self._put)
            if self._gone:
                aliases.remove(conn, self._gone)
