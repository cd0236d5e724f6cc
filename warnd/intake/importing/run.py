"""Runs an import from the file to the new revision, or as a rehearsal that changes nothing."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from warnd.chats import SERVICES
from warnd.intake.importing import recipient_import, region_import
from warnd.intake.importing.alias_import import AliasImport
from warnd.intake.importing.door import Door
from warnd.intake.importing.problem import Unreadable
from warnd.intake.importing.recipient_import import RecipientImport
from warnd.intake.importing.region_import import RegionImport
from warnd.intake.importing.rows import other_encoding
from warnd.intake.importing.summary import Options, Summary
from warnd.ledger.enrolment.staging import Stage


class _Import(Protocol):
    """The four steps of every import. All faults are found in the first two; the others run only without any."""

    summary: Summary

    def read(self) -> None: ...

    def check(self) -> None: ...

    def compare(self, rev: int, /) -> None: ...

    def publish(self, rev: int, /) -> None: ...


def import_regions(path: Path, *, door: Door, options: Options) -> Summary:
    """Import regions from CSV or GeoJSON.

    Raises:
        OSError: The file cannot be opened.
        Busy: Another import is under way.
        LeaseLost: Another import took over; nothing of this one is visible.
    """
    with _stage(region_import.COLUMNS) as stage:
        return _run(RegionImport(path, door=door, stage=stage, options=options), path, door=door)


def import_recipients(
    path: Path, *, door: Door, options: Options, language: str, services: Collection[str] = SERVICES
) -> Summary:
    """Import recipients from CSV.

    `language` is for those who name none, `services` are the chat services that may be used. Raises what `import_regions` raises.
    """
    with _stage(recipient_import.COLUMNS) as stage:
        job = RecipientImport(path, door=door, stage=stage, options=options, language=language, services=services)
        return _run(job, path, door=door)


def import_aliases(path: Path, *, door: Door, options: Options) -> Summary:
    """Import geocode aliases from CSV. Raises what `import_regions` raises."""
    return _run(AliasImport(path, door=door, options=options), path, door=door)


@contextmanager
def _stage(columns: int) -> Iterator[Stage]:
    with TemporaryDirectory(prefix="warnd-import-") as folder, Stage(Path(folder), columns=columns) as stage:
        yield stage


def _run(job: _Import, path: Path, *, door: Door) -> Summary:
    summary = job.summary
    if not summary.dry_run:
        door.enter()
    try:
        rev = door.next_revision()
        summary.revision = rev - 1
        _examine(job, path)
        if not summary.problems:
            job.compare(rev)
        if summary.changes and not summary.problems and not summary.dry_run:
            job.publish(rev)
            summary.revision = rev
    finally:
        door.leave()
    return summary


def _examine(job: _Import, path: Path) -> None:
    try:
        job.read()
    except Unreadable as error:  # What follows from the unread rest cannot be told.
        job.summary.problems.add(error.problem)
        return
    job.check()
    other_encoding(path, job.summary.notes)
