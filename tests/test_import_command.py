"""`warnd import`: exit codes, words and the JSON document."""

import json
import re
from pathlib import Path

import pytest

from tests.fakes.command import run
from tests.fakes.register import COUNTY, PEOPLE
from tests.stores import store_url
from warnd.clock import SystemClock
from warnd.intake.importing.door import Door
from warnd.ledger.store import open_engine

EXAMPLES = ("regions.csv", "recipients.csv", "bad.csv", "aliases.csv")


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "regions.csv").write_text(COUNTY, "utf-8")
    (tmp_path / "recipients.csv").write_text(PEOPLE, "utf-8")
    (tmp_path / "aliases.csv").write_text("scheme,value,region\nSAME,006037,990101\n", "utf-8")
    path = tmp_path / "warnd.toml"
    path.write_text(f'[node]\nlanguages = ["en"]\n[store]\nurl = "{store_url(tmp_path)}"\n', "utf-8")
    return str(path)


def imported(config: str, what: str, *options: str) -> tuple[int, str, str]:
    ran = run("import", what, str(Path(config).with_name(f"{what}.csv")), "--config", config, *options)
    return ran.code, ran.out, ran.err


def test_an_import_says_what_it_did(config: str) -> None:
    assert imported(config, "regions") == (
        0,
        "Imported regions: 6 new, 0 changed, 0 removed, 0 unchanged; directory revision 1.\n",
        "",
    )
    assert imported(config, "recipients")[:2] == (
        0,
        "Imported recipients: 4 new, 0 changed, 0 removed, 0 unchanged; directory revision 2.\n",
    )
    assert imported(config, "aliases")[:2] == (
        0,
        "Imported aliases: 1 new, 0 changed, 0 removed, 0 unchanged; directory revision 3.\n",
    )
    assert imported(config, "regions")[1] == (
        "Imported regions: 0 new, 0 changed, 0 removed, 6 unchanged; directory revision 3.\n"
    )


def test_a_dry_run_says_what_it_would_do(config: str) -> None:
    assert imported(config, "regions", "--dry-run")[:2] == (
        0,
        "Would import regions: 6 new, 0 changed, 0 removed, 0 unchanged; directory revision 0.\n",
    )
    assert imported(config, "regions")[1].startswith("Imported regions: 6 new")


def test_prune_removes_the_rest(config: str) -> None:
    imported(config, "regions")
    Path(config).with_name("regions.csv").write_text(COUNTY.rsplit("\n", 2)[0] + "\n", "utf-8")
    assert "0 changed, 0 removed, 5 unchanged" in imported(config, "regions")[1]
    assert "0 changed, 1 removed, 5 unchanged" in imported(config, "regions", "--prune")[1]


def test_bad_rows_go_to_stderr_with_file_line_cause_and_fix_and_exit_with_1(config: str) -> None:
    code, out, err = imported(config, "recipients")  # Nothing has been imported: no region is known.
    assert (code, out) == (1, "Nothing imported: 5 errors in 4 recipients.\n")
    first = err.splitlines()[0]
    assert first.startswith(str(Path(config).with_name("recipients.csv")))
    assert first.endswith(
        "line 2, roles: region 990101001002 is not in the directory. Correct it, or import that region first."
    )


def test_no_more_than_a_thousand_bad_rows_are_listed(config: str) -> None:
    rows = "".join(f"v{n},,village\n" for n in range(1005))
    Path(config).with_name("regions.csv").write_text(f"code,name,tier\n{rows}", "utf-8")
    code, out, err = imported(config, "regions")
    assert (code, out) == (1, "Nothing imported: 1005 errors in 1005 regions.\n")
    assert err.splitlines()[-1] == "5 more errors are not listed."
    assert len(err.splitlines()) == 1001


def test_json_is_one_document_on_stdout(config: str) -> None:
    code, out, _ = imported(config, "regions", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["imported"], document["new"], document["revision"], document["errors"]) == ("regions", 6, 1, [])
    Path(config).with_name("regions.csv").write_text("code,name,tier\nv,,village\n", "utf-8")
    code, out, _ = imported(config, "regions", "--json")
    assert code == 1
    assert json.loads(out)["errors"] == [
        {"line": 2, "feature": None, "column": "name", "cause": "is empty", "fix": "Give a name."}
    ]


def test_who_names_no_language_gets_the_settings_first(config: str) -> None:
    imported(config, "regions")
    imported(config, "recipients")
    engine = open_engine(store_url(Path(config).parent))
    with engine.begin() as conn:
        found = conn.exec_driver_sql(
            "SELECT c.id, v.lang FROM recipient c JOIN recipient_version v ON v.recipient_no = c.no"
        )
        languages = {row.id: row.lang for row in found}
    engine.dispose()
    assert languages == {"li": "zh", "wang": "zh", "h1": "en", "T-1": "en"}


def test_a_file_that_is_not_there_exits_with_3(config: str) -> None:
    Path(config).with_name("regions.csv").unlink()
    code, out, err = imported(config, "regions")
    assert (code, out) == (3, "")
    assert err.startswith("Cannot read ")


def test_a_folder_exits_with_3(config: str) -> None:
    path = Path(config).with_name("regions.csv")
    path.unlink()
    path.mkdir()
    assert imported(config, "regions")[0] == 3


def test_a_second_import_is_refused_in_words(config: str) -> None:
    imported(config, "regions")
    url = store_url(Path(config).parent)
    reading, writing = open_engine(url, begin="BEGIN"), open_engine(url)
    first = Door(reading, writing, clock=SystemClock(), token="first")
    first.enter()
    code, _, err = imported(config, "recipients")
    first.leave()
    reading.dispose()
    writing.dispose()
    assert code == 1
    assert err.startswith("Another import is under way. Wait for it; if it was killed, its place is free at ")
    assert imported(config, "recipients")[0] == 0


def test_text_from_a_file_cannot_steer_the_screen(config: str) -> None:
    Path(config).with_name("regions.csv").write_text("code,name,tier\nv,\x1b[2Jvillage,x\x1b[31m\n", "utf-8")
    code, _, err = imported(config, "regions")
    assert code == 1
    assert "\x1b" not in err


def test_the_examples_of_the_documentation_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[1] / "docs" / "imports.md").read_text("utf-8")
    for name, content in zip(EXAMPLES, re.findall(r"```csv\n(.*?)```", text, re.DOTALL), strict=True):
        (tmp_path / name).write_text(content, "utf-8")
    (tmp_path / "warnd.toml").write_text(f'[store]\nurl = "{store_url(tmp_path)}"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"^\$ warnd (.*)\n((?:(?!\$|```).*\n)+)", text, re.MULTILINE)
    assert len(shown) == 4
    for command, said in shown:
        ran = run(*command.split(), WARND_CONFIG="warnd.toml")
        assert ran.out + ran.err == said
    assert run("import", "aliases", "aliases.csv", WARND_CONFIG="warnd.toml").code == 0
