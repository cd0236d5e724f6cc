"""Two workers on one machine look into one folder: no file is lost, none makes two warnings, and nobody complains."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from tests.fakes.web_centre import centre, flood
from warnd.intake.folder import WatchedFolder

FILES = 12


async def test_each_file_is_taken_once_and_nothing_is_said_against_it(tmp_path: Path) -> None:
    async with centre(tmp_path) as built:
        path = tmp_path / "watched"
        both = [WatchedFolder(path, built.daemon.desk, built.clock) for _ in range(2)]
        for folder in both:
            await folder.look()
        for number in range(FILES):
            (path / f"{number:02}.xml").write_bytes(flood(f"no-{number}"))
        (path / "letter.xml").write_bytes(b"<alert>Dear Sir or Madam</alert>")
        with capture_logs() as logs:
            for _ in range(3):
                async with asyncio.TaskGroup() as group:
                    for folder in both:
                        group.create_task(folder.look())
                built.clock.advance(1)
        names = sorted(entry.name for entry in (path / "done").iterdir() if entry.suffix == ".xml")
        assert names == [f"{number:02}.xml" for number in range(FILES)]
        assert sorted(entry.name for entry in (path / "refused").iterdir()) == ["letter.xml", "letter.xml.reasons.txt"]
        assert not [entry.name for entry in (path / "done").iterdir() if ".2." in entry.name]
        assert not list(path.glob("*.xml"))
        assert all(folder.problem() is None for folder in both)
        assert not [line for line in logs if line["log_level"] == "error"]
        accepted = [line for line in logs if line["event"] == "file_taken" and str(line["fate"]) == "released"]
        assert len(accepted) == FILES
