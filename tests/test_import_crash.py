"""An import that is killed leaves the directory as it was, and the next one gives what a clean one gives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.fakes.register import COUNTY, Register, opened
from warnd.intake.importing.door import LEASE_S
from warnd.intake.importing.run import import_regions
from warnd.intake.importing.staged import CHUNK
from warnd.intake.importing.summary import Options
from warnd.ledger.enrolment.lease import Busy, LeaseLost

PEOPLE = "id,kind,name,region,roles,phone\n"
COUNT = CHUNK * 2 + 500  # Three transactions.

# Runs one import in a process of its own that kills itself, as kill -9 does, when it has written so many pages.
DYING = """
import os, signal, sys
from pathlib import Path
from tests.fakes.register import Register
from warnd.intake.importing.run import import_recipients, import_regions
from warnd.intake.importing.summary import Options

what, folder, url, path, pages, prune = sys.argv[1:]
left = int(pages)

def told(doing, done, whole):
    global left
    if doing in ("importing", "changing"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

register = Register(Path(folder), url)
options = Options(prune=prune == "True", progress=told)
door = register.door("dying")
if what == "regions":
    import_regions(Path(path), door=door, options=options)
else:
    import_recipients(Path(path), door=door, options=options, language="zh")
raise SystemExit("it should have been dead by now")
"""


def die(register: Register, what: str, content: str, *, pages: int, prune: bool = False) -> None:
    path = register.file(content, f"{what}-new.csv")
    arguments = [
        sys.executable,
        "-c",
        DYING,
        what,
        str(register.folder),
        register.url,
        str(path),
        str(pages),
        str(prune),
    ]
    root = Path(__file__).parents[1]
    ended = subprocess.run(
        arguments,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def people(*, phone: str, skip: int = 0) -> str:
    rows = (
        f"h{n},household,户{n},990101001{n % 2 + 1:03d},{'media;public' if n % 7 == 0 else ''},{phone}{n:04d}\n"
        for n in range(skip, COUNT)
    )
    return PEOPLE + "".join(rows)


def villages(*, name: str, towns: str = "990101001") -> str:
    rows = (f"v{n},{name}{n if n % 3 else ''},village,{towns},,,\n" for n in range(COUNT))
    return COUNTY + "".join(rows)


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with opened(tmp_path) as made:
        made.regions()
        yield made


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Register]:
    folder = tmp_path / "clean"
    folder.mkdir()
    with opened(folder) as made:
        made.regions()
        yield made


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_first_import_of_recipients_killed_in_the_middle_is_as_if_it_had_not_been(
    register: Register, clean: Register, pages: int
) -> None:
    before = register.seen()
    die(register, "recipients", people(phone="+861380000"), pages=pages)
    assert register.seen() == before
    assert len(register.tables()["recipient_version"]) >= CHUNK
    register.clock.advance(LEASE_S + 1)
    register.recipients(people(phone="+861380000"))
    clean.recipients(people(phone="+861380000"))
    assert register.tables() == clean.tables()


@pytest.mark.parametrize("pages", [1, 3])
def test_a_reimport_with_changes_and_removals_killed_in_the_middle_is_as_if_it_had_not_been(
    register: Register, clean: Register, pages: int
) -> None:
    for each in (register, clean):
        each.recipients(people(phone="+861380000"))
    before = register.seen()
    changed = people(phone="+861390000", skip=10)
    die(register, "recipients", changed, pages=pages, prune=True)
    assert register.seen() == before
    assert register.tables() != clean.tables()
    register.clock.advance(LEASE_S + 1)
    assert register.recipients(changed, prune=True).removed == clean.recipients(changed, prune=True).removed == 10
    assert register.tables() == clean.tables()


@pytest.mark.parametrize("pages", [1, 2])
def test_an_import_of_regions_killed_in_the_middle_is_as_if_it_had_not_been(
    register: Register, clean: Register, pages: int
) -> None:
    before = register.seen()
    die(register, "regions", villages(name="村"), pages=pages)
    assert register.seen() == before
    register.clock.advance(LEASE_S + 1)
    register.regions(villages(name="村"))
    clean.regions(villages(name="村"))
    assert register.tables() == clean.tables()
    again = villages(name="庄", towns="990101002")
    assert register.regions(again).changed == COUNT
    clean.regions(again)
    assert register.tables() == clean.tables()


def test_changes_of_many_regions_killed_in_the_middle_are_completed_by_the_next_run(
    register: Register, clean: Register
) -> None:
    """Their names change in pieces, so that the daemon is not stopped; their place in the tree does not."""
    for each in (register, clean):
        each.regions(villages(name="村"))
    places = {row[0]: row[5] for row in register.tables()["region"]}
    changed = villages(name="庄", towns="990101002")
    die(register, "regions", changed, pages=4)  # Three of comparing, one of changing.
    found = register.tables()["region"]
    assert {row[0]: row[5] for row in found} == places
    assert sum(row[1].startswith("庄") for row in found) == CHUNK
    register.clock.advance(LEASE_S + 1)
    register.regions(changed)
    clean.regions(changed)
    assert register.tables() == clean.tables()


def test_another_file_may_follow_a_killed_import(register: Register, clean: Register) -> None:
    die(register, "recipients", people(phone="+861380000"), pages=2)
    register.clock.advance(LEASE_S + 1)
    register.regions(villages(name="村"))
    clean.regions(villages(name="村"))
    assert register.tables() == clean.tables()


def test_a_second_import_at_the_same_time_is_refused(register: Register) -> None:
    first = register.door("first")
    first.enter()
    before = register.tables()
    with pytest.raises(Busy) as busy:
        register.regions(villages(name="村"))
    assert busy.value.until_ms == int(register.clock.now().timestamp() + LEASE_S) * 1000
    assert register.tables() == before
    first.leave()
    assert register.regions(villages(name="村")).new == COUNT


def test_a_rehearsal_needs_no_turn(register: Register) -> None:
    first = register.door("first")
    first.enter()
    assert register.regions(villages(name="村"), dry_run=True).new == COUNT
    first.leave()


def test_an_import_that_stood_still_too_long_writes_nothing_more(register: Register) -> None:
    slow = register.door("slow")
    slow.enter()
    register.clock.advance(LEASE_S + 1)
    register.regions(villages(name="村"))
    before = register.tables()
    with pytest.raises(LeaseLost), slow.publish(99) as conn:
        conn.execute(text("DELETE FROM region"))
    slow.leave()
    assert register.tables() == before


def test_a_long_reading_keeps_its_turn(register: Register) -> None:
    def wait(_what: str, _done: int, _whole: int) -> None:
        register.clock.advance(LEASE_S / 4)
        with pytest.raises(Busy):
            register.door("other").enter()

    path = register.file(villages(name="村"), "long.csv")
    assert import_regions(path, door=register.door("long"), options=Options(progress=wait)).new == COUNT


def test_an_interrupted_import_lets_the_next_one_in_at_once(register: Register, clean: Register) -> None:
    def interrupt(what: str, _done: int, _whole: int) -> None:
        if what == "importing":
            raise KeyboardInterrupt

    path = register.file(villages(name="村"), "villages.csv")
    with pytest.raises(KeyboardInterrupt):
        import_regions(path, door=register.door("one"), options=Options(progress=interrupt))
    register.regions(villages(name="村"))
    clean.regions(villages(name="村"))
    assert register.tables() == clean.tables()
