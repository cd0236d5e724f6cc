"""`warnd check --live`: tries what the settings name, beside a running daemon or without one, and tells nobody anything."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from starlette.routing import BaseRoute
from typer.testing import CliRunner

from tests.fakes.web_centre import centre
from warnd.channel import Accepted, Context, Finding, Outcome, Outgoing, ReceiptSink
from warnd.cli import build, live
from warnd.model.evidence import Evidence
from warnd.resources import shipped
from warnd.settings import Settings, load
from warnd.web import bind, serve

_SETTINGS = """
templates_dir = "templates"
store.url = "sqlite:///warnd.sqlite"
sms.spool.dir = "spool"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "warnd.toml").write_text(_SETTINGS, "utf-8")
    for name in ("plans.toml", "authority.toml"):
        shutil.copy(shipped("config") / name, tmp_path)
    shutil.copytree(shipped("templates"), tmp_path / "templates")
    return tmp_path


def _add(home: Path, line: str) -> None:
    config = home / "warnd.toml"
    config.write_text(f"{config.read_text('utf-8')}{line}\n", "utf-8")


def _checked(home: Path, *more: str) -> tuple[int, str, str]:
    words = ["check", "--config", str(home / "warnd.toml"), *more]
    ran = CliRunner().invoke(build(words), words)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


def test_what_works_is_named_and_nothing_is_sent(home: Path) -> None:
    code, out, err = _checked(home, "--live")
    assert (code, err) == (0, "")
    assert "live sms" in out
    assert "texts can be written" in out
    assert not list((home / "spool" / "out").iterdir())
    assert not (home / "warnd.sqlite").exists()


def test_what_does_not_work_is_named_with_what_to_do_and_the_answer_is_no(home: Path) -> None:
    (home / "spool").write_text("a file where a folder should be")
    code, _, err = _checked(home, "--live")
    assert code == 1
    assert "live sms" in err
    assert "WRONG" in err
    assert "Correct the folder" in err


def test_without_live_nothing_is_tried(home: Path) -> None:
    code, out, _ = _checked(home)
    assert code == 0
    assert "\nlive " not in out
    assert not (home / "spool").exists()


def test_as_json_it_is_one_document(home: Path) -> None:
    (home / "spool").write_text("a file where a folder should be")
    code, out, _ = _checked(home, "--live", "--json")
    found = json.loads(out)
    assert code == 1
    assert {each["part"] for each in found["checks"]} >= {
        "files",
        "keys",
        "store",
        "folders",
        "channels",
        "links",
        "speech",
    }
    wrong = [each["part"] for each in found["live"] if not each["ok"]]
    assert wrong == ["live sms"]
    assert all(each["told"] for each in (*found["checks"], *found["live"]))


def test_a_parts_file_that_could_not_be_written_is_told_before_a_start(home: Path) -> None:
    (home / "secret").write_text("secret\n")
    _add(home, '[sms.smpp]\nhost = "127.0.0.1"\nsystem_id = "x"\npassword_file = "secret"\nsource = "1069"')
    _add(home, 'parts_file = "nowhere/parts"')
    code, _, err = _checked(home)
    assert code == 1
    assert f"sms.smpp.parts_file: there is no folder {home / 'nowhere'}. Make it" in err
    (home / "nowhere").mkdir()
    assert _checked(home)[0] == 0


def test_a_channel_that_no_plan_names_is_noted(home: Path) -> None:
    _add(home, '[apprise]\nservices = ["dingtalk"]')
    code, out, _ = _checked(home)
    assert code == 0
    assert "NOTE: no plan names apprise, so nobody is told that way." in out
    plans = home / "plans.toml"
    plans.write_text(plans.read_text("utf-8").replace('channels = ["sms"', 'channels = ["apprise", "sms"'), "utf-8")
    (home / "warnd.toml").write_text(f'plans_file = "plans.toml"\n{(home / "warnd.toml").read_text("utf-8")}', "utf-8")
    assert "NOTE: no plan" not in _checked(home)[1]


def test_answer_links_that_nobody_can_open_are_noted(home: Path) -> None:
    _add(home, '[email]\nhost = "127.0.0.1"\nport = 1\nstart_tls = false\nsender = "warn@qinghe.example"')
    code, out, _ = _checked(home)
    assert code == 0
    assert "NOTE: answer links lead to 127.0.0.1:8080" in out
    _add(home, '[http]\npublic_url = "https://warn.qinghe.example"')
    assert "answer links lead to https://warn.qinghe.example/a/" in _checked(home)[1]


async def test_the_public_address_is_tried_only_while_the_site_is_served(home: Path) -> None:
    lost = bind("127.0.0.1", 0)
    wrong_port = lost.getsockname()[1]
    lost.close()
    async with centre(home) as built, asyncio.TaskGroup() as group:
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]

        async def found(public_url: str, *, own_port: int = port) -> Finding:
            settings = _settings(home, f'[http]\nlisten = "127.0.0.1:{own_port}"\npublic_url = "{public_url}"')
            trials = await asyncio.to_thread(live.trials, settings)
            return next(each.findings[0] for each in trials if each.channel == "web")

        before_the_start = await found(f"http://127.0.0.1:{wrong_port}", own_port=wrong_port)
        assert before_the_start.wrong is None
        started = asyncio.Event()
        serving = group.create_task(serve(built.daemon.app, listening=listening, started=started.set))
        await started.wait()
        right = await found(f"http://127.0.0.1:{port}")
        wrong = await found(f"http://127.0.0.1:{wrong_port}")
        serving.cancel()
    assert (right.wrong, right.told) == (None, "answers")
    assert wrong.wrong is not None
    assert "Correct http.public_url" in wrong.wrong


def _settings(home: Path, more: str) -> Settings:
    config = home / "other.toml"
    config.write_text(_SETTINGS + more, "utf-8")
    return load(config, {})


class _Plain:
    """A channel that offers nothing to try; the rest of it is not asked for here."""

    name = "plain"
    strongest = Evidence.ACCEPTED

    async def send(self, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        for index, _ in enumerate(batch):
            yield index, Accepted()

    async def run(self, sink: ReceiptSink) -> None:
        raise AssertionError(sink)

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def problem(self) -> str | None:
        return None


class _Silent(_Plain):
    """One whose other side never answers."""

    async def probe(self) -> Sequence[Finding]:
        await asyncio.Event().wait()
        return []


class _Fine(_Plain):
    """One that works."""

    async def probe(self) -> Sequence[Finding]:
        return [Finding("account", told="active")]


def test_one_that_hangs_or_breaks_keeps_no_other_from_being_tried(home: Path) -> None:
    def broken(_settings: Settings, _context: Context) -> None:
        raise OSError("no such certificate")

    trials = live.trials(
        load(home / "warnd.toml", {}),
        build={
            "broken": broken,
            "fine": lambda _settings, _context: _Fine(),
            "off": lambda _settings, _context: None,
            "plain": lambda _settings, _context: _Plain(),
            "silent": lambda _settings, _context: _Silent(),
        },
        within_s=0.05,
    )
    found = {each.channel: each.findings for each in trials}
    assert list(found) == ["broken", "fine", "plain", "silent"]
    assert found["broken"][0].wrong == "no such certificate. Correct its section in the settings."
    assert found["fine"] == (Finding("account", told="active"),)
    assert found["plain"] == ()
    assert (found["silent"][0].wrong or "").startswith("It was not done within")
