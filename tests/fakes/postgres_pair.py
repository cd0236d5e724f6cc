"""A PostgreSQL primary and its synchronous standby, as a warning centre runs them: durable, and killed whole.

Neither pays for speed with safety as `tests/stores.py` does: what these two have confirmed must be there after the primary is gone.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ports import free_port
from tests.postgresql import programs

_DATABASE = "CREATE DATABASE warnd TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
_ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs; skips where there is none."""
    found = programs()
    if found is None:
        pytest.skip("postgresql is not installed")
    return found


def as_owner() -> dict[str, Any]:
    """Return how `subprocess` becomes the user that servers run as: they refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwnam("postgres")
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def room() -> Path:
    """Return a new folder of that user's."""
    folder = Path(tempfile.mkdtemp(prefix="warnd-pair-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def run(*command: str | Path, cwd: Path) -> None:
    """Run a program of PostgreSQL's to its end."""
    done = subprocess.run(command, check=False, capture_output=True, env=_ENV, cwd=cwd, timeout=60, **as_owner())
    assert done.returncode == 0, done.stderr.decode(errors="replace")


@dataclass(slots=True)
class Server:
    """One server over its own folder."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Where its tables lie."""
        return self.folder / self.name

    def start(self, **more: str) -> None:
        """Start it; return when it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on",
            "synchronous_commit": "on",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "wal_receiver_status_interval": "1s",
            **more,
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [binaries() / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                env=_ENV,
                cwd=self.folder,
                **as_owner(),
            )
        command: list[str | Path] = [
            binaries() / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-t",
            "1",
        ]
        for _ in range(400):
            if subprocess.run(command, check=False, timeout=5).returncode == 0:
                return
            if not _still_starting(self.process):
                break
        raise AssertionError((self.folder / f"{self.name}.log").read_text(errors="replace")[-2000:])

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as its owner."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=5
        ) as conn:
            answer = conn.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the whole server at once: each of its processes is in a session of its own."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)  # So that it starts no other meanwhile.
        for pid in _children(self.process.pid):
            os.kill(pid, number)
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGKILL)
            self.process.wait(20)


def _still_starting(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(0.05)
    except subprocess.TimeoutExpired:
        return True
    return False


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two, and how programs reach whichever of them takes writes."""

    folder: Path
    primary: Server
    standby: Server

    @property
    def url(self) -> str:
        """The address that names both."""
        return f"postgresql://postgres@127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}/warnd"

    def promote(self) -> None:
        """Make the standby the primary; it returns when that is done."""
        assert self.standby.ask("SELECT pg_promote(wait => true, wait_seconds => 30)") == [(True,)]


@contextmanager
def postgres_pair() -> Iterator[Pair]:
    """Run both for as long as the block lasts, with an empty database `warnd`. Skips where PostgreSQL is not installed."""
    binaries()
    folder = room()
    pair = Pair(folder, Server("primary", folder), Server("standby", folder))
    try:
        _start(pair)
        yield pair
    finally:
        pair.primary.kill()
        pair.standby.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _start(pair: Pair) -> None:
    first, second = pair.primary, pair.standby
    run(
        binaries() / "initdb",
        "-D",
        first.data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        cwd=pair.folder,
    )
    first.start()
    first.ask(_DATABASE)
    where = f"host=127.0.0.1 port={first.port} user=postgres"
    run(
        binaries() / "pg_basebackup",
        "-d",
        where,
        "-D",
        second.data,
        "-R",
        "-X",
        "stream",
        "--checkpoint=fast",
        cwd=pair.folder,
    )
    second.start(primary_conninfo=f"{where} application_name=second")
    first.ask(
        "ALTER SYSTEM SET synchronous_standby_names = 'second'"
    )  # After the copy: a promoted server waits for nobody.
    first.ask("SELECT pg_reload_conf()")
    for _ in range(400):
        if first.ask("SELECT sync_state FROM pg_stat_replication") == [("sync",)]:
            return
    raise AssertionError("the standby did not become synchronous")
