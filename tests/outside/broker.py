"""A mosquitto with the shipped configuration and rights on ephemeral loopback ports, and a watcher who sees every topic."""

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.ports import free_port

CONFIG = Path(__file__).parents[2] / "config"
WATCHER = "watcher"
_PATIENCE_S = 15.0


def program(name: str) -> str | None:
    """Debian keeps the broker outside of an ordinary user's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


needs_mosquitto = pytest.mark.skipif(
    program("mosquitto") is None or program("mosquitto_passwd") is None,
    reason="mosquitto is not installed (apt install mosquitto)",
)


@dataclass
class Broker:
    """`port` serves warnd/v1, `drill_port` warnd-drill/v1; a user's password is `password(name, drill)`."""

    folder: Path
    port: int
    drill_port: int
    host: str = "127.0.0.1"
    _process: "subprocess.Popen[str] | None" = None
    _log: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    def start(self) -> None:
        mosquitto = program("mosquitto")
        assert mosquitto is not None
        self._log = queue.Queue()
        self._process = subprocess.Popen(
            [mosquitto, "-c", str(self.folder / "mosquitto.conf"), "-v"], stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=_drained, args=(self._process, self._log), daemon=True).start()
        while True:
            line = self._log.get(timeout=_PATIENCE_S)
            assert line is not None, "mosquitto ended at once"
            if "running" in line:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
            self._process = None


def _drained(process: "subprocess.Popen[str]", log: "queue.Queue[str | None]") -> None:
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            log.put(line)
    log.put(None)


def password(user: str, *, drill: bool) -> str:
    return f"{user}-{'drill' if drill else 'live'}-secret"


@contextmanager
def running_broker(folder: Path, users: Sequence[str]) -> Iterator[Broker]:
    """Run a broker for these users and the watcher; the two listeners have other passwords."""
    home = folder / "mosquitto"
    home.mkdir()
    broker = Broker(home, free_port(), free_port())
    for drill in (False, True):
        suffix = "-drill" if drill else ""
        rights = (CONFIG / "mosquitto" / f"acl{suffix}").read_text("utf-8")
        (home / f"acl{suffix}").write_text(f"user {WATCHER}\ntopic readwrite #\n\n{rights}", "utf-8")
        _write_passwords(home / f"passwords{suffix}", [*users, WATCHER], drill=drill)
    (home / "mosquitto.conf").write_text(_configuration(broker), "utf-8")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _write_passwords(path: Path, users: Sequence[str], *, drill: bool) -> None:
    hasher = program("mosquitto_passwd")
    assert hasher is not None
    path.write_text("".join(f"{user}:{password(user, drill=drill)}\n" for user in users), "utf-8")
    path.chmod(0o600)
    subprocess.run([hasher, "-U", str(path)], check=True, capture_output=True)


def _configuration(broker: Broker) -> str:
    """Return the shipped configuration without TLS, in the test's folder; root stays root to be able to read it."""
    shipped = (CONFIG / "mosquitto" / "mosquitto.conf").read_text("utf-8")
    text = "\n".join(line for line in shipped.splitlines() if not line.startswith(("certfile", "keyfile")))
    for old, new in {
        "/etc/mosquitto/warnd": str(broker.folder),
        "/var/lib/mosquitto": str(broker.folder),
        "listener 8883": f"listener {broker.port} {broker.host}",
        "listener 8884": f"listener {broker.drill_port} {broker.host}",
    }.items():
        text = text.replace(old, new)
    return f"{'user root' if os.geteuid() == 0 else ''}\n{text}\n"
