"""Whatever lies in the watched folder, nothing that was not read leaves it, and the next good warning goes out."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.fakes.web_centre import Centre, centre, flood
from warnd.intake import shelf
from warnd.intake.desk import Desk
from warnd.intake.folder import WatchedFolder
from warnd.model.authority import Principal
from warnd.model.submission import Submission


@dataclass
class Watched:
    """The folder of a centre, looked into when a test says so."""

    path: Path
    built: Centre
    folder: WatchedFolder

    async def looks(self, times: int = 2) -> None:
        for _ in range(times):
            await self.folder.look()
            self.built.clock.advance(1)

    def put(self, name: str, content: bytes) -> Path:
        written = self.path / f".{abs(hash(name))}.part"
        written.write_bytes(content)
        return written.rename(self.path / name)

    def names(self, place: str) -> list[str]:
        return sorted(entry.name for entry in (self.path / place).iterdir())


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with centre(tmp_path) as built:
        path = tmp_path / "watched"
        yield Watched(path, built, WatchedFolder(path, built.daemon.desk, built.clock))


async def good_one_goes_out(watched: Watched, name: str = "good.xml") -> None:
    watched.put(name, flood(f"after-{name}"))
    await watched.looks()
    assert name in watched.names("done")


async def test_what_is_no_file_is_put_aside_with_the_reason(watched: Watched) -> None:
    await watched.looks(1)
    (watched.path / "secret").write_text("of somebody else")
    (watched.path / "link.xml").symlink_to(watched.path / "secret")
    os.mkfifo(watched.path / "pipe.xml")
    (watched.path / "folder.xml").mkdir()
    await watched.looks()
    odd = ["folder.xml", "link.xml", "pipe.xml"]
    assert watched.names("refused") == sorted([*odd, *(f"{name}.reasons.txt" for name in odd)])
    assert "no ordinary file" in (watched.path / "refused" / "link.xml.reasons.txt").read_text()
    await good_one_goes_out(watched)


async def test_a_pipe_that_takes_a_files_place_is_not_waited_on(watched: Watched) -> None:
    await watched.looks(1)
    path = watched.put("a.xml", flood())
    look = shelf.looks(watched.path)["a.xml"]
    path.unlink()
    os.mkfifo(path)
    assert shelf.read(path, look) is None


@pytest.mark.parametrize("change", ["more", "another"])
async def test_a_file_that_changed_since_it_was_looked_at_is_not_read(watched: Watched, change: str) -> None:
    await watched.looks(1)
    path = watched.put("a.xml", flood()[:-20])
    look = shelf.looks(watched.path)["a.xml"]
    if change == "more":
        with path.open("ab") as file:
            file.write(flood()[-20:])
    else:
        watched.put("a.xml", flood("another"))
    assert shelf.read(path, look) is None
    await watched.looks()
    assert watched.names("done") == ["a.xml"]


async def test_a_file_put_under_the_name_of_one_just_read_is_read_too(watched: Watched) -> None:
    await watched.looks(1)
    path = watched.put("a.xml", flood("first"))
    look = shelf.looks(watched.path)["a.xml"]
    assert shelf.read(path, look) is not None
    watched.put("a.xml", flood("second"))
    shelf.file_away(path, look, folder=watched.path / "done", told=None)
    assert watched.names("done") == []
    await watched.looks()
    assert b"second" in (watched.path / "done" / "a.xml").read_bytes()


class Fragile(Desk):
    """A desk that breaks over what is poisoned."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def submit(self, document: bytes, *, by: Principal) -> Submission:
        if b"poison" in document:
            raise RuntimeError("nobody thought of this")
        return await self._desk.submit(document, by=by)


@pytest.fixture
def fragile(watched: Watched) -> Watched:
    desk = Fragile(watched.built.daemon.desk)
    return Watched(watched.path, watched.built, WatchedFolder(watched.path, desk, watched.built.clock))


async def test_files_that_break_the_desk_hold_up_no_other_and_are_told_once(fragile: Watched) -> None:
    await fragile.looks(1)
    for number in range(250):  # More than one look takes.
        fragile.put(f"bad-{number:03d}.xml", flood(f"poison-{number}"))
    with capture_logs() as logs:
        await fragile.looks(4)
    assert len([line for line in logs if line["event"] == "watched_file"]) == 250
    assert "nobody thought of this" in (fragile.folder.problem() or "")
    await good_one_goes_out(fragile)
    assert (fragile.path / "bad-000.xml").exists()
    for path in fragile.path.glob("*.xml"):
        path.unlink()
    await fragile.looks(1)
    assert fragile.folder.problem() is None


@pytest.mark.parametrize(
    "name",
    ["new\nline.xml", "预警 “一”.xml", "x" * 251 + ".xml", "警" * 83 + ".XML", "a\udcff.xml", "-rf.xml", "%s{}.xml"],
)
async def test_a_name_may_be_anything(watched: Watched, name: str) -> None:
    await watched.looks(1)
    for identifier in ("one", "two"):
        watched.put(name, flood(identifier)[:-5])
        await watched.looks(10)
    assert len(watched.names("refused")) == 4
    assert [entry for entry in watched.path.iterdir() if not entry.is_dir()] == []
    assert watched.folder.problem() is None
    await good_one_goes_out(watched)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, b"<" * (3 * 1024 * 1024), flood()[:-30], "<洪水/>".encode("utf-16")]
)
async def test_rubbish_is_refused_with_the_reason_and_the_next_goes_out(watched: Watched, content: bytes) -> None:
    await watched.looks(1)
    watched.put("rubbish.xml", content)
    await watched.looks(10)
    assert watched.names("refused") == ["rubbish.xml", "rubbish.xml.reasons.txt"]
    assert len((watched.path / "refused" / "rubbish.xml.reasons.txt").read_text()) > 40
    await good_one_goes_out(watched)
