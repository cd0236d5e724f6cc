"""A newcomer's one command: the whole road with real parts, an honest end, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

_ONCE_S = 90  # The promise.
_PATIENCE_S = 120.0


@contextmanager
def demo(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `warnd demo` with its temporary folder in `folder`; kill it if it takes too long."""
    env = {**os.environ, "TMPDIR": str(folder), "WARND_STORE__URL": "sqlite:///somebody-elses.sqlite"}
    command = [sys.executable, "-m", "warnd", "demo", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True) as process:
        limit = Timer(_PATIENCE_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            process.kill()
            limit.cancel()


def lines_until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return seen
    raise AssertionError(f"it ended before it said {words!r}:\n{''.join(seen)}")


def still_running(folder: Path) -> list[str]:
    """Return the command lines of processes that work in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # It ended while we looked.
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_every_village_is_accounted_for_truly_and_nothing_stays_behind(tmp_path: Path) -> None:
    with demo(tmp_path, "--once") as process:
        seen = "".join(lines_until(process, "true reason"))
        assert process.wait(_PATIENCE_S) == 0, seen
    assert "109 of 120 villages confirmed" in seen
    for reason in ("no_terminal", "offline", "refused", "amplifier", "not_played", "no_officer", "officer_silent"):
        assert reason in seen
    assert "50 % of the villages after" in seen
    assert "not reached" not in seen
    assert re.search(
        r"by email +accepted \d+ \| delivered 0 \| presented 0 \| acknowledged [1-9]", seen
    )  # By the link in it.
    assert still_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_all_its_parts(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        seen = "".join(lines_until(process, "Released:"))
        assert "Public page: http://127.0.0.1:" in seen
        assert still_running(tmp_path)
        process.send_signal(number)
        assert process.wait(_PATIENCE_S) == 0
    assert still_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_dies_is_named_and_its_log_is_kept(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        lines_until(process, "Released:")
        os.kill(daemon_of(tmp_path), signal.SIGKILL)
        seen = "".join(lines_until(process, "What the parts wrote is kept in"))
        assert process.stdout is not None
        seen += process.stdout.read()
        assert process.wait(_PATIENCE_S) == 3
    assert "The daemon ended by itself with code -9" in seen
    assert "Traceback" not in seen
    assert still_running(tmp_path) == []
    (kept,) = tmp_path.iterdir()
    assert "starting" in (kept / "daemon.log").read_text("utf-8")


def daemon_of(folder: Path) -> int:
    """Return the process id of the daemon that works in `folder`."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_bytes().split(b"\0")
        if b"serve" in words and any(str(folder).encode() in word for word in words):
            return int(entry.parent.name)
    raise AssertionError("no daemon is running")
