"""The import of regions: read, checked as one tree, compared, written out of sight, made visible."""

from collections.abc import Iterator
from pathlib import Path

from warnd.intake.importing.door import Door
from warnd.intake.importing.problem import Problem
from warnd.intake.importing.regions import HEADER, RegionEntry, read_region
from warnd.intake.importing.rows import read_rows
from warnd.intake.importing.staged import CHUNK, chunks, report_repeated
from warnd.intake.importing.summary import Options, Summary
from warnd.intake.importing.tree import Tree
from warnd.ledger.enrolment import regions
from warnd.ledger.enrolment.regions import RegionFacts
from warnd.ledger.enrolment.staging import Stage, Staged
from warnd.model.region import stored_code

COLUMNS = len(RegionEntry._fields)
_MOVED, _PLACED, _DESCRIBED, _REMOVED = "moved", "placed", "described", "removed"


class RegionImport:
    """One run over one file."""

    def __init__(self, path: Path, *, door: Door, stage: Stage, options: Options) -> None:
        self._path = path
        self._door = door
        self._stage = stage
        self._options = options
        self._tree = Tree()
        self._described = 0
        self.summary = Summary("regions", options.dry_run)

    def read(self) -> None:
        """Stage every row that is sound in itself."""
        for batch in chunks(self._entries(), CHUNK):
            self._stage.add(batch)
            self._door.linger()
        self._stage.seal()
        report_repeated(self._stage, self.summary.problems, column="code")

    def check(self) -> None:
        """Find every region's place, and what must move or go besides."""
        self._keep_standing()
        self._tree.settle()
        for problem in self._tree.standing_faults():
            self.summary.problems.add(problem)
        for page in self._pages("checking"):
            for row in page:
                fault = self._tree.fault(RegionEntry._make(row.values), line=row.line, feature=row.feature)
                if fault:
                    self.summary.problems.add(fault)
        if not self.summary.problems:
            self._follow()
            self._refuse_orphans()

    def compare(self, rev: int) -> None:
        """Count what is new and changed; unless it is a dry run, write what is new for revision `rev`."""
        for page in self._pages("importing"):
            placed = [facts for row in page if (facts := self._tree.place(RegionEntry._make(row.values)))]
            with self._door.read() as conn:
                standing = regions.standing(conn, codes=[facts.code for facts in placed])
            new = [facts for facts in placed if facts.code not in standing]
            changed = [facts for facts in placed if facts.code in standing and standing[facts.code] != facts]
            self._put_aside(changed, standing)
            self.summary.new += len(new)
            self.summary.changed += len(changed)
            self.summary.unchanged += len(page) - len(new) - len(changed)
            if new and not self._options.dry_run:
                with self._door.write() as conn:
                    regions.add(conn, new, rev=rev)

    def publish(self, rev: int) -> None:
        """Change, move and remove in the transaction that makes the revision visible.

        Regions have no versions, so a change is seen by everybody at once. Where there are many changes, those of names, people, points
        and shapes go ahead in pieces: one transaction over a whole country would stop the daemon for longer than it waits.
        """
        large = self._described > CHUNK
        for number, pairs in enumerate(self._stage.aside(_DESCRIBED, CHUNK) if large else (), 1):
            with self._door.write() as conn:
                regions.describe(conn, self._facts(pairs))
            self._options.progress("changing", number * CHUNK, self._described)
        with self._door.publish(rev) as conn:
            for pairs in self._stage.aside(_DESCRIBED, CHUNK) if not large else ():
                regions.describe(conn, self._facts(pairs))
            for pairs in self._stage.aside(_MOVED, CHUNK):
                regions.move(conn, pairs)
            for pairs in self._stage.aside(_PLACED, CHUNK):
                regions.place(conn, self._facts(pairs))
            for pairs in self._stage.aside(_REMOVED, CHUNK):
                regions.remove(conn, [code for code, _ in pairs])

    def _put_aside(self, changed: list[RegionFacts], standing: dict[str, RegionFacts]) -> None:
        placed = [facts.code for facts in changed if _place(facts) != _place(standing[facts.code])]
        described = [facts.code for facts in changed if _rest(facts) != _rest(standing[facts.code])]
        self._stage.put_aside(_PLACED, ((code, "") for code in placed))
        self._stage.put_aside(_DESCRIBED, ((code, "") for code in described))
        self._described += len(described)

    def _facts(self, pairs: list[tuple[str, str]]) -> list[RegionFacts]:
        rows = self._stage.of([code for code, _ in pairs])
        return [facts for row in rows if (facts := self._tree.place(RegionEntry._make(row.values)))]

    def _entries(self) -> Iterator[tuple[object, ...]]:
        problems, notes = self.summary.problems, self.summary.notes
        for row in read_rows(self._path, header=HEADER, problems=problems, progress=self._options.progress):
            self.summary.rows += 1
            entry = read_region(row, problems, repaired=notes)
            if entry is None:
                self._tree.doubt(stored_code(row.values.get("code", "")))
                continue
            self._tree.add(entry, line=row.line)
            yield (entry.code, entry.code, row.line, row.feature, *entry)

    def _keep_standing(self) -> None:
        """Add what is in the directory to the tree: all of it, or with `prune` only what the file has too."""
        with self._door.read() as conn:
            for page in chunks(regions.uppers(conn), CHUNK):
                absent = set(self._stage.absent([upper.code for upper in page]))
                for upper in page:
                    if not (self._options.prune and upper.code in absent):
                        self._tree.keep(upper, in_file=upper.code not in absent)

    def _follow(self) -> None:
        """Put aside the regions that the file does not have and whose path changes with what is around them."""
        if self._options.prune:
            self._find_removed()
            return
        for code, path, in_file in self._tree.shifted():
            with self._door.read() as conn:
                below = regions.villages_of(conn, parent=code)
            pairs = [] if in_file else [(code, path)]
            pairs += [
                (village, f"{path}{village}/") for part in chunks(below, CHUNK) for village in self._stage.absent(part)
            ]
            self._stage.put_aside(_MOVED, pairs)
            self.summary.changed += len(pairs)

    def _refuse_orphans(self) -> None:
        for code in () if self._options.prune else self._tree.demoted:
            with self._door.read() as conn:
                below = regions.villages_of(conn, parent=code)
            for part in chunks(below, CHUNK):
                for village in self._stage.absent(part):
                    cause = f"village {village} would lie in {code}, which the file makes a village"
                    self.summary.problems.add(Problem(None, None, None, cause, "Put it into the file too."))

    def _find_removed(self) -> None:
        after = ""
        while True:
            with self._door.read() as conn:
                codes = regions.codes_after(conn, after=after, limit=CHUNK)
                gone = self._stage.absent(codes)
                users = regions.users(conn, codes=gone)
            if not codes:
                return
            for code, user in users.items():
                cause = f"region {code} is not in the file, but {user} points to it"
                self.summary.problems.add(
                    Problem(None, None, None, cause, "Put it into the file, or move what points to it.")
                )
            self._stage.put_aside(_REMOVED, ((code, "") for code in gone))
            self.summary.removed += len(gone)
            after = codes[-1]

    def _pages(self, what: str) -> Iterator[list[Staged]]:
        done, whole = 0, len(self._stage)
        for page in self._stage.pages(CHUNK):
            yield page
            done += len(page)
            self._options.progress(what, done, whole)
            self._door.linger()


def _place(facts: RegionFacts) -> tuple[object, ...]:
    return tuple(getattr(facts, name) for name in regions.PLACE)


def _rest(facts: RegionFacts) -> tuple[object, ...]:
    return tuple(value for name, value in zip(facts._fields, facts, strict=True) if name not in regions.PLACE)
