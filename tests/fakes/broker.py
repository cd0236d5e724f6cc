"""A real mosquitto on ephemeral loopback ports, with the shipped configuration and rights, for one test.

    with running_broker(tmp_path, users={"warnd": "secret", "T-0001": "secret"}) as broker:
        ... broker.host, broker.port, broker.drill_port ...

Rights come from `config/mosquitto/acl` and `acl-drill`; the drill listener has the same users unless a test gives it its own.
"""

import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.certificate import write_certificate
from tests.ports import free_port
from warnd.resources import shipped

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
ADMIN, ADMIN_PASSWORD = "admin", "of all users"  # With dynamic security.


def program(name: str) -> str | None:
    """Return where one of mosquitto's programs is; Debian keeps the broker outside of an ordinary user's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


needs_mosquitto = pytest.mark.skipif(
    program("mosquitto") is None or program("mosquitto_passwd") is None,
    reason="mosquitto is not installed (apt install mosquitto)",
)


@dataclass
class Broker:
    """One mosquitto. `port` serves warnd/v1, `drill_port` warnd-drill/v1; `verbose` logs every packet."""

    folder: Path
    port: int
    drill_port: int
    host: str = "127.0.0.1"
    verbose: bool = True
    _lines: "queue.Queue[str | None]" = field(default_factory=queue.Queue)
    _process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Start the broker and return when it listens."""
        program_path = program("mosquitto")
        assert program_path is not None, "guard the test with needs_mosquitto"
        self._lines = queue.Queue()
        self._process = subprocess.Popen(
            [program_path, "-c", str(self.folder / "mosquitto.conf"), *(["-v"] if self.verbose else [])],
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=_drain, args=(self._process, self._lines), daemon=True).start()
        self.wait_for("running", timeout_s=START_TIMEOUT_S)

    def wait_for(self, words: str, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when the broker logs a line with `words` that was not waited for before."""
        seen: list[str] = []
        while True:
            line = self._lines.get(timeout=timeout_s)
            assert line is not None, f"mosquitto ended before it logged {words!r}:\n{''.join(seen)}"
            seen.append(line)
            if words in line:
                return

    def signal(self, number: signal.Signals) -> None:
        """Tell it something: SIGHUP to read passwords and rights again, SIGUSR1 to save its sessions."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End the broker as an operator would; it saves its sessions."""
        self._end(signal_name="terminate")

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._end(signal_name="kill")

    def _end(self, *, signal_name: str) -> None:
        if self._process is None:
            return
        for _ in range(int(STOP_TIMEOUT_S)):
            getattr(self._process, signal_name)()
            try:
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                continue  # mosquitto forgets a signal that comes between its "running" and its main loop.
            self._process = None
            return
        self._process.kill()
        raise AssertionError(f"mosquitto did not end by {signal_name} in {STOP_TIMEOUT_S:g} s")


def _drain(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            lines.put(line)
    lines.put(None)


@contextmanager
def running_broker(
    folder: Path,
    *,
    users: Mapping[str, str],
    drill_users: Mapping[str, str] | None = None,
    tls: bool = False,
    verbose: bool = True,
    configuration: str = "mosquitto.conf",
    more_rights: str = "",
) -> Iterator[Broker]:
    """Run a broker for users (name -> password) and end it afterwards; with `tls`, `broker.folder / "ca.crt"` proves it.

    `more_rights` are further lines of the live listener's file of rights.
    `configuration` is one of the shipped ones. What it needs beside passwords and rights lies in `folder / "mosquitto"` already.
    """
    home = folder / "mosquitto"
    home.mkdir(exist_ok=True)
    broker = Broker(home, port=free_port(), drill_port=free_port(), verbose=verbose)
    _write_passwords(home / "passwords", users)
    _write_passwords(home / "passwords-drill", users if drill_users is None else drill_users)
    for name in ("acl", "acl-drill"):
        shutil.copy(shipped("config") / "mosquitto" / name, home / name)
    with (home / "acl").open("a") as rights:
        rights.write(more_rights)
    if tls and not (home / "server.crt").exists():
        write_certificate(home)
    if configuration == "dynamic-security.conf":
        _write_administrator(home / "warnd-users.json")
    (home / "mosquitto.conf").write_text(_configuration(broker, configuration, tls=tls))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def _configuration(broker: Broker, name: str, *, tls: bool) -> str:
    """Return a shipped configuration on loopback in the test's folder."""
    text = (shipped("config") / "mosquitto" / name).read_text()
    lines = [line for line in text.splitlines() if tls or not line.startswith(("certfile", "keyfile"))]
    moved = (
        "\n".join(lines)
        .replace("/etc/mosquitto/warnd", str(broker.folder))
        .replace("/var/lib/mosquitto", str(broker.folder))
    )
    plugin = next(
        Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None
    )  # In a folder named by the machine's kind.
    if plugin is not None:
        moved = moved.replace("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so", str(plugin))
    moved = moved.replace("listener 8883", f"listener {broker.port} {broker.host}")
    moved = moved.replace("listener 8884", f"listener {broker.drill_port} {broker.host}")
    keep_rights = (
        "user root\n" if os.geteuid() == 0 else ""
    )  # Else it becomes a user who cannot read the test's folder.
    return f"{keep_rights}{moved}\n"


def _write_passwords(path: Path, users: Mapping[str, str]) -> None:
    hash_program = program("mosquitto_passwd")
    assert hash_program is not None, "guard the test with needs_mosquitto"
    path.write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
    path.chmod(0o600)
    if not users:  # The program takes an empty file for a broken one.
        return
    subprocess.run([hash_program, "-U", str(path)], check=True, capture_output=True)


def _write_administrator(path: Path) -> None:
    control = program("mosquitto_ctrl")
    assert control is not None, "guard the test with needs_mosquitto"
    command = [control, "dynsec", "init", str(path), ADMIN, ADMIN_PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
