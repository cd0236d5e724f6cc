"""An operator's day on the command line against a real daemon: import, look ahead, submit, approve, see, explain, take back."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.command import Ran
from warnd.cli.demo.flood import freshen
from warnd.cli.demo.stage import flood_document, set_stage
from warnd.clock import SystemClock
from warnd.resources import shipped

_PATIENCE_S = 60.0
_ENDS_WITHIN_S = 10.0


class Desk:
    """A shell in the operator's hands."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "warnd.toml"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WARND_")}
        self.env = {**clean, "WARND_CONFIG": str(self.config)}

    def run(self, *words: str) -> Ran:
        command = [sys.executable, "-m", "warnd", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S, env=self.env)
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def fine(self, *words: str) -> str:
        ran = self.run(*words)
        assert ran.code == 0, ran
        return ran.out.strip()

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            [sys.executable, "-m", "warnd", "serve"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.env,
        ) as process:
            try:
                assert process.stdout is not None
                serves = re.match(r"warnd serves (http://\S+)", process.stdout.readline())
                assert serves, "it ended before it served"
                self.env["WARND_URL"] = serves[1]
                yield process
            finally:
                process.kill()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.config.write_text(
        '[node]\njurisdiction = ["990101"]\nlanguages = ["zh", "en"]\n[http]\nlisten = "127.0.0.1:0"\n'
        '[sms]\nprovider = "spool"\n[sms.spool]\ndir = "spool"\n',
        "utf-8",
    )
    set_stage(tmp_path, http_port=1)
    (tmp_path / "flood.xml").write_bytes(freshen(flood_document(), SystemClock().now()))
    return desk


def test_a_day_at_the_desk(desk: Desk, tmp_path: Path) -> None:
    flood = str(tmp_path / "flood.xml")
    assert desk.run("check").code == 0
    desk.fine("import", "regions", str(shipped("config") / "demo" / "regions.geojson"))
    desk.fine("import", "recipients", str(tmp_path / "recipients.csv"))
    operator, clerk = (
        desk.fine("token", "create", "--scope", "release"),
        desk.fine("token", "create", "--scope", "submit"),
    )
    with desk.daemon() as daemon:
        desk.env["WARND_TOKEN"] = clerk
        ahead = desk.fine("preview", flood)
        assert "120 information_officer" in ahead
        assert "and 100 more" in ahead
        assert "is in_review" in desk.fine("submit", flood)
        (warning,) = json.loads(desk.fine("status", "--json"))["warnings"]
        assert desk.run("approve", warning["id"]).code == 1, "a clerk may not release"
        desk.env["WARND_TOKEN"] = operator
        desk.fine("approve", warning["id"])
        assert desk.run("approve", warning["id"]).code == 1, "nothing is left to approve"
        assert "Known already" in desk.fine("submit", flood)
        assert "120 targeted" in desk.fine("status", warning["id"])
        silent = desk.run("coverage", warning["id"], "--unconfirmed")
        assert silent.code == 1
        assert len(silent.out.splitlines()) >= 120
        assert "demanded acknowledged" in desk.fine("explain", warning["id"], "information_officer-990101101201-0")
        assert desk.run("explain", warning["id"], "nobody").code == 1
        assert "lift of 洪水" in desk.fine("cancel", warning["id"], "--lift", "--reason", "水退了")
        assert desk.run("cancel", warning["id"], "--lift", "--reason", "水退了").code == 1
        assert "is cancelled" in desk.fine("status", warning["id"])
        desk.fine("audit", "verify")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(_ENDS_WITHIN_S) == 0
    assert desk.run("status").code == 3


def test_a_store_has_one_daemon(desk: Desk) -> None:
    with desk.daemon():
        second = desk.run("serve")
        assert second.code == 3
        assert "Another warnd serves" in second.err


def test_check_finds_what_serve_would_stumble_over(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key", "utf-8")
    (tmp_path / "plans.toml").write_text('[[plan]]\nname = "red"\n', "utf-8")
    settings = desk.config.read_text("utf-8")
    desk.config.write_text('plans_file = "plans.toml"\n' + settings + '[mqtt]\nsigning_key_file = "key.pem"\n', "utf-8")
    found = desk.run("check")
    assert found.code == 1
    assert "plans.toml:1" in found.err
    assert "key.pem" in found.err
    assert "on: mqtt, sms, web" in found.out
    served = desk.run("serve")
    assert served.code == 2
    assert "plans.toml:1" in served.err
