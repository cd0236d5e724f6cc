"""The import of recipients and their seats: read with their regions, compared, written as versions of the next revision."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from warnd.intake.importing.door import Door
from warnd.intake.importing.problem import Problem
from warnd.intake.importing.recipients import HEADER, RecipientEntry, read_recipient
from warnd.intake.importing.row import Row
from warnd.intake.importing.rows import read_rows
from warnd.intake.importing.staged import CHUNK, chunks, report_repeated
from warnd.intake.importing.summary import Options, Summary
from warnd.ledger import directory
from warnd.ledger.enrolment import recipients
from warnd.ledger.enrolment.recipients import RecipientFacts, Seats, Version
from warnd.ledger.enrolment.staging import Stage, Staged
from warnd.ledger.values import dumps

COLUMNS = len(RecipientFacts._fields) + 1  # The last one holds the seats.


class RecipientImport:
    """One run over one file."""

    def __init__(
        self,
        path: Path,
        *,
        door: Door,
        stage: Stage,
        options: Options,
        language: str,
        services: Collection[str],
    ) -> None:
        """Take also the language of those who name none, and the chat services that may be used."""
        self._path = path
        self._door = door
        self._stage = stage
        self._options = options
        self._language = language
        self._services = services
        self.summary = Summary("recipients", options.dry_run)

    def read(self) -> None:
        """Stage every row that is sound in itself and whose regions are known."""
        for batch in chunks(self._entries(), CHUNK):
            paths = self._paths([entry for _, entry in batch])
            self._stage.add(
                _staged(row, entry, paths[entry.facts.region]) for row, entry in batch if self._known(row, entry, paths)
            )
            self._door.linger()
        self._stage.seal()
        report_repeated(self._stage, self.summary.problems, column="id")

    def check(self) -> None:
        """Nothing remains to be checked: recipients do not depend on each other."""

    def compare(self, rev: int) -> None:
        """Count what is new, changed and gone; unless it is a dry run, write it for revision `rev`."""
        done, whole = 0, len(self._stage)
        for page in self._stage.pages(CHUNK):
            self._compare(page, rev)
            done += len(page)
            self._options.progress("importing", done, whole)
            self._door.linger()
        if self._options.prune:
            self._prune(rev)

    def publish(self, rev: int) -> None:
        """Make the revision visible: one row changes."""
        with self._door.publish(rev):
            pass

    def _entries(self) -> Iterator[tuple[Row, RecipientEntry]]:
        problems = self.summary.problems
        for row in read_rows(self._path, header=HEADER, problems=problems, progress=self._options.progress):
            self.summary.rows += 1
            entry = read_recipient(row, problems, language=self._language, services=self._services)
            if entry:
                yield row, entry

    def _paths(self, entries: list[RecipientEntry]) -> dict[str, str]:
        codes = {entry.facts.region for entry in entries} | {code for entry in entries for _, code in entry.seats}
        with self._door.read() as conn:
            return directory.paths(conn, codes=sorted(codes))

    def _known(self, row: Row, entry: RecipientEntry, paths: dict[str, str]) -> bool:
        unknown = {code: "roles" for _, code in entry.seats if code not in paths}
        unknown |= {code: "region" for code in (entry.facts.region,) if code not in paths}
        for code, column in unknown.items():
            cause = f"region {code} is not in the directory"
            self.summary.problems.add(
                Problem(row.line, row.feature, column, cause, "Correct it, or import that region first.")
            )
        return not unknown

    def _compare(self, page: list[Staged], rev: int) -> None:
        with self._door.read() as conn:
            standing = recipients.standing(conn, ids=[row.key for row in page])
        versions, closed = [], []
        for row in page:
            facts, seats = RecipientFacts._make(row.values[:-1]), _seats(row.values[-1])
            stood = standing.get(row.key)
            if stood and stood.facts == facts and stood.seats == seats:
                continue
            versions.append(Version(row.key, stood.no if stood else None, facts, seats))
            if stood and stood.version_no is not None:
                closed.append(stood.version_no)
        self.summary.new += len(versions) - len(closed)
        self.summary.changed += len(closed)
        self.summary.unchanged += len(page) - len(versions)
        self._write(versions, closed, rev)

    def _prune(self, rev: int) -> None:
        after = 0
        while True:
            with self._door.read() as conn:
                found = recipients.ids_after(conn, after=after, limit=CHUNK)
            if not found:
                return
            gone = set(self._stage.absent([each for _, each, _ in found]))
            closed = [version for _, each, version in found if each in gone]
            self.summary.removed += len(closed)
            self._write([], closed, rev)
            after = found[-1][0]

    def _write(self, versions: list[Version], closed: list[int], rev: int) -> None:
        if self._options.dry_run or not (versions or closed):
            return
        with self._door.write() as conn:
            if closed:
                recipients.close(conn, closed, rev=rev)
            if versions:
                recipients.add(conn, versions, rev=rev)


def _staged(row: Row, entry: RecipientEntry, path: str) -> tuple[object, ...]:
    seats = dumps(entry.seats) if entry.seats else None
    return (entry.id, path, row.line, row.feature, *entry.facts, seats)


def _seats(text: str | None) -> Seats:
    return tuple((role, code) for role, code in json.loads(text)) if text else ()
