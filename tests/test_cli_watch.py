"""`status --watch` is a window that stays open: it shows every change, outlives a restart of the daemon, and closes at Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from tests.fakes.api import FakeApi, fake_api

_PATIENCE_S = 20.0


def warning(acknowledged: int) -> dict[str, object]:
    return {
        "id": "w1",
        "level": "red",
        "event": "洪水",
        "status": "Actual",
        "state": "dispatching",
        "totals": {"evidence": {"acknowledged": acknowledged}, "villages": {"targeted": 3}, "planned": True},
    }


@contextmanager
def watching(api: FakeApi) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "warnd", "status", "w1", "--watch"]
    env = {**os.environ, "WARND_URL": api.url, "WARND_TOKEN": "t"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True) as process:
        limit = Timer(_PATIENCE_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            process.kill()
            limit.cancel()


def read_until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"the window closed before it showed {words!r}")


def test_it_shows_changes_and_trouble_and_ends_at_ctrl_c() -> None:
    with fake_api() as api:
        api.answer("GET", "/readyz", {"problems": []})
        api.answer("GET", "/api/v1/warnings/w1", warning(1))
        api.answer("GET", "/api/v1/warnings/w1", "<html>restarting</html>", status=503)
        api.answer("GET", "/api/v1/warnings/w1", warning(2))
        with watching(api) as process:
            read_until(process, "acknowledged 1")
            read_until(process, "without a JSON object")
            read_until(process, "acknowledged 2")
            process.send_signal(signal.SIGINT)
            assert process.wait(_PATIENCE_S) == 0


def test_it_ends_when_the_daemon_says_no() -> None:
    with fake_api() as api:
        api.answer("GET", "/api/v1/warnings/w1", {"detail": "this token was revoked"}, status=401)
        with watching(api) as process:
            assert process.wait(_PATIENCE_S) == 1
            assert process.stderr is not None
            assert "revoked" in process.stderr.read()
