"""The page about several workers: its settings are taken, its commands are whole, and what ships with it is understood."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.test_channel_docs import blocks
from tests.test_readme import PATH, ROOT
from warnd.resources import shipped
from warnd.settings import load

PAGE = ROOT / "docs" / "scale-out.md"
SHIPPED = shipped("config") / "scale-out"


def test_the_settings_on_the_page_are_taken(tmp_path: Path) -> None:
    (block,) = blocks(PAGE, "toml")
    (tmp_path / "database.password").write_text("se:cr/et")
    (tmp_path / "warnd.toml").write_text(block, "utf-8")
    settings = load(tmp_path / "warnd.toml", {})
    assert settings.node.worker == tomllib.loads(block)["node"]["worker"]
    assert settings.store.url == "postgresql://warnd:se%3Acr%2Fet@db1.example.org,db2.example.org/warnd"


@pytest.mark.parametrize("block", blocks(PAGE, "sh"))
def test_every_command_on_the_page_is_whole(block: str) -> None:
    told = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False, timeout=10)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("haproxy", path=PATH) is None, reason="haproxy is not on this machine")
def test_the_shipped_settings_of_haproxy_are_valid(tmp_path: Path) -> None:
    told = (SHIPPED / "haproxy.cfg").read_text("utf-8")
    for number in (1, 2, 3):
        told = told.replace(f"db{number}.example.org", "127.0.0.1").replace(f"worker{number}.example.org", "127.0.0.1")
    (tmp_path / "haproxy.cfg").write_text(told, "utf-8")
    command = ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")]
    done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_what_ships_is_named_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert {path.name for path in SHIPPED.iterdir() if f"scale-out/{path.name})" in page} == {
        "haproxy.cfg",
        "patroni.yml",
        "pgbouncer.ini",
    }
