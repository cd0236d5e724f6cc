"""Whatever is wrong with an operator's files is said before the start: what, where, what to do, and without a traceback."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from tests.fakes.loudspeaker import LIVE_KEY
from warnd.cli import build
from warnd.cli.stop import Stop
from warnd.daemon import ConfigurationError, read_files
from warnd.model.loudspeaker import private_key_pem
from warnd.resources import shipped
from warnd.settings import SettingsError, load

_SETTINGS = """
plans_file = "plans.toml"
authority_file = "authority.toml"
templates_dir = "templates"
node.jurisdiction = ["770101"]
node.languages = ["zh", "en"]
store.url = "sqlite:///ledger.sqlite"
http.listen = "127.0.0.1:0"
intake.watch_dir = "inbox"
sms.signature = "清河预警"
sms.spool.dir = "spool"
mqtt.username = "warnd"
mqtt.password_file = "password"
mqtt.signing_key_file = "key.pem"
"""
_ROUNDS = 60

Harm = Callable[[Path], object]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "warnd.toml").write_text(_SETTINGS, "utf-8")
    for name in ("plans.toml", "authority.toml"):
        shutil.copy(shipped("config") / name, tmp_path)
    shutil.copytree(shipped("templates"), tmp_path / "templates")
    (tmp_path / "password").write_text("secret-of-warnd\n")
    (tmp_path / "key.pem").write_bytes(private_key_pem(LIVE_KEY))
    return tmp_path


def checked(home: Path) -> tuple[int, str]:
    """Return the exit code of `warnd check` and all that it says."""
    words = ["check", "--config", str(home / "warnd.toml")]
    result = CliRunner().invoke(build(words), words)
    if isinstance(result.exception, Stop):
        return int(result.exception.code), f"{result.output}{result.exception}"
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def write(name: str, content: bytes) -> Harm:
    return lambda home: (home / name).write_bytes(content)


def folder(name: str) -> Harm:
    def harm(home: Path) -> None:
        (home / name).unlink(missing_ok=True)
        (home / name).mkdir()

    return harm


def test_sound_files_are_sound(home: Path) -> None:
    code, said = checked(home)
    assert code == 0, said


HARMS: dict[str, tuple[Harm, str]] = {
    "settings not UTF-8": (write("warnd.toml", b"\xff\0"), "warnd.toml:1"),
    "plans not UTF-8": (write("plans.toml", b"\xff\0"), "plans.toml:1"),
    "plans empty": (write("plans.toml", b""), "plans.toml"),
    "plans a folder": (folder("plans.toml"), "plans_file"),
    "authority broken": (write("authority.toml", b"[superiors"), "authority.toml:1"),
    "template broken": (write("templates/sms/zh.j2", b"{% if %}"), "sms/zh.j2"),
    "template not UTF-8": (write("templates/mqtt/zh.j2", b"\xff"), "mqtt/zh.j2"),
    "page broken": (write("templates/web/index.html.j2", b"{% if %}"), "web/index.html.j2:1"),
    "page gone": (lambda home: (home / "templates/web/error.html.j2").unlink(), "web/error.html.j2"),
    "style gone": (lambda home: (home / "templates/web/static/site.css").unlink(), "static/site.css"),
    "words broken": (write("templates/web/zh.toml", b"a = ["), "web/zh.toml"),
    "words not UTF-8": (write("templates/web/zh.toml", b"\xff"), "web/zh.toml"),
    "words missing": (write("templates/web/en.toml", b""), "web/en.toml"),
    "password of two lines": (write("password", b"secret-of-warnd\nb\n"), "password_file"),
    "key broken": (write("key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "key.pem"),
    "store garbage": (write("ledger.sqlite", b"garbage" * 1000), "ledger.sqlite"),
    "store a folder": (folder("ledger.sqlite"), "store.url"),
    "store a pipe": (lambda home: os.mkfifo(home / "ledger.sqlite"), "store.url"),
    "watched folder a file": (write("inbox", b""), "intake.watch_dir"),
    "spool a file": (write("spool", b""), "sms.spool.dir"),
}


@pytest.mark.parametrize("what", HARMS)
def test_check_names_what_is_wrong(home: Path, what: str) -> None:
    harm, named = HARMS[what]
    harm(home)
    code, said = checked(home)
    assert code == 1, said
    assert named in said
    assert "Traceback" not in said
    assert "sqlalche.me" not in said
    assert "secret-of-warnd" not in said


@pytest.mark.parametrize("what", ["words broken", "store a folder", "key broken"])
def test_serve_says_it_too_and_ends(home: Path, what: str) -> None:
    HARMS[what][0](home)
    command = [sys.executable, "-m", "warnd", "serve", "--config", str(home / "warnd.toml")]
    env = {name: value for name, value in os.environ.items() if not name.startswith("WARND_")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=env)
    assert ended.returncode in {2, 3}, ended.stderr
    assert str(home) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_files_harmed_at_random_are_sound_or_say_where_they_are_not(home: Path) -> None:
    chance = Random(20260701)
    files = [home / "warnd.toml", home / "plans.toml", home / "authority.toml"]
    files += [path for path in (home / "templates").rglob("*") if path.suffix in {".j2", ".toml"}]
    for _ in range(_ROUNDS):
        path = chance.choice(files)
        before = path.read_bytes()
        path.write_bytes(_harmed(before, chance))
        try:
            read_files(load(home / "warnd.toml", {}))
        except (SettingsError, ConfigurationError) as error:
            assert str(home) in str(error)  # noqa: PT017 - most harm is none
        path.write_bytes(before)


def _harmed(content: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(content))
    end = start + chance.randrange(1, 40)
    put = chance.choice(
        [b"", chance.randbytes(5), content[start:end] * 3, b"{{ x.y(", b'"', b"[[", b"= 1e999\n", b"\n-1"]
    )
    return content[:start] + put + content[end:]
