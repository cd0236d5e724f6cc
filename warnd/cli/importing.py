"""`warnd import`: brings regions, recipients and geocode aliases from files into the directory, also while `serve` runs."""

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DBAPIError

from warnd.chats import SERVICES
from warnd.cli.output import say, warn
from warnd.cli.settled import ConfigFile, load_settings, ready_store
from warnd.cli.stop import Exit, Stop
from warnd.cli.words import plain
from warnd.clock import SystemClock
from warnd.intake.importing import run
from warnd.intake.importing.door import Door
from warnd.intake.importing.problem import Problem, Problems
from warnd.intake.importing.summary import Options, Summary
from warnd.intake.importing.summary import Progress as Told
from warnd.ledger.enrolment.lease import Busy, LeaseLost
from warnd.ledger.store import open_engine, shown
from warnd.settings import Settings

app = typer.Typer(help="Bring regions, recipients and geocode aliases into the directory.", no_args_is_help=True)

_FOUND = "Columns and errors are described in docs/imports.md."
File = Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV (UTF-8), for regions also GeoJSON. {_FOUND}")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would change; change nothing.")]
Prune = Annotated[bool, typer.Option("--prune", help="Also remove what the file does not have.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@app.callback()
def bring() -> None:
    """Bring regions, recipients and geocode aliases into the directory."""


@app.command("regions")
def regions(
    file: File, *, dry_run: DryRun = False, prune: Prune = False, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Import regions. Exits with 1 if a row is bad; nothing is imported then."""
    settings = load_settings(config)
    with _door(settings) as door, _bar() as told:
        summary = _guarded(file, lambda: run.import_regions(file, door=door, options=Options(dry_run, prune, told)))
    _tell(file, summary, as_json=as_json)


@app.command("recipients")
def recipients(
    file: File, *, dry_run: DryRun = False, prune: Prune = False, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Import people, households, organisations and terminals. Exits with 1 if a row is bad; nothing is imported then."""
    settings = load_settings(config)
    language = settings.node.languages[0]
    services = settings.apprise.services if settings.apprise is not None else SERVICES
    with _door(settings) as door, _bar() as told:
        options = Options(dry_run, prune, told)
        summary = _guarded(
            file,
            lambda: run.import_recipients(file, door=door, options=options, language=language, services=services),
        )
    _tell(file, summary, as_json=as_json)


@app.command("aliases")
def aliases(
    file: File, *, dry_run: DryRun = False, prune: Prune = False, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Import geocode aliases. Exits with 1 if a row is bad; nothing is imported then."""
    settings = load_settings(config)
    with _door(settings) as door, _bar() as told:
        summary = _guarded(file, lambda: run.import_aliases(file, door=door, options=Options(dry_run, prune, told)))
    _tell(file, summary, as_json=as_json)


@contextmanager
def _door(settings: Settings) -> Iterator[Door]:
    ready_store(settings)
    url = settings.store.url
    reading, writing = open_engine(url, begin="BEGIN"), open_engine(url)
    try:
        yield Door(reading, writing, clock=SystemClock(), token=secrets.token_hex(16))
    except DBAPIError as error:
        cause = f"Cannot work with the store {shown(url)}: {error.orig}. Nothing was imported; run it again."
        raise Stop(cause, code=Exit.UNREACHABLE) from error
    finally:
        reading.dispose()
        writing.dispose()


def _guarded(file: Path, work: Callable[[], Summary]) -> Summary:
    try:
        return work()
    except OSError as error:
        raise Stop(f"Cannot read {error.filename or file}: {error.strerror}", code=Exit.UNREACHABLE) from error
    except Busy as busy:
        until = datetime.fromtimestamp(busy.until_ms / 1000, UTC).strftime("%H:%M:%S UTC")
        cause = f"Another import is under way. Wait for it; if it was killed, its place is free at {until}."
        raise Stop(cause, code=Exit.NO) from busy
    except LeaseLost as lost:
        raise Stop(f"Nothing was imported: {lost}. Run it again.", code=Exit.NO) from lost


@contextmanager
def _bar() -> Iterator[Told]:
    """Give something to tell the progress to: a bar on a terminal, else nobody."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, int] = {}

        def told(what: str, done: int, whole: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=whole)  # type: ignore[arg-type] # rich calls its int TaskID

        yield told


def _tell(file: Path, summary: Summary, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(summary.document(), ensure_ascii=False, indent=2) + "\n")
    else:
        say(_sentence(summary))
        _list(file, summary.notes, "notes")
    _list(file, summary.problems, "errors")
    if summary.problems:
        raise typer.Exit(Exit.NO)


def _sentence(summary: Summary) -> str:
    if summary.problems:
        return f"Nothing imported: {summary.problems.total} errors in {summary.rows} {summary.what}."
    counts = (
        f"{summary.new} new, {summary.changed} changed, {summary.removed} removed, {summary.unchanged} unchanged; "
        f"directory revision {summary.revision}"
    )
    return f"Would import {summary.what}: {counts}." if summary.dry_run else f"Imported {summary.what}: {counts}."


def _list(file: Path, problems: Problems, what: str) -> None:
    shown = list(problems)
    warn(*[f"{file}: {_line(each)}" for each in shown])
    if problems.total > len(shown):
        warn(f"{problems.total - len(shown)} more {what} are not listed.")


def _line(problem: Problem) -> str:
    return plain(f"{problem.place}: {problem.cause}. {problem.fix}")
