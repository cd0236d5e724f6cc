"""A private PostgreSQL server of one test process: started with its first store, in a folder of its own, gone with the process."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ports import free_port

_OLDEST = 15
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": 200,
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
ASKED_FOR_PASSWORD = "asked"  # The only user who is; tests make it when they need it.
_running: list["Server"] = []
_talking: list[psycopg.Connection[Any]] = []


@cache
def programs() -> Path | None:
    """Return the folder of a server that is new enough: Debian's newest, or what stands in PATH; None = there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    found = shutil.which("postgres")
    for folder in (*debian, *([Path(found).resolve().parent] if found else [])):
        if (folder / "initdb").exists() and _version(folder) >= _OLDEST:
            return folder
    return None


def _version(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "--version"], check=False, capture_output=True, text=True, timeout=10)
    told = re.search(r"\b(\d+)[.\w]*", said.stdout)
    return int(told[1]) if told else 0


@cache
def port() -> int:
    """Return the port of this process's server, started by the first who asks. Skips where PostgreSQL is not installed."""
    return _started(_SETTINGS).port


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty or as another is that nobody uses; return its address."""
        source = template or "template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        self.run(f"CREATE DATABASE {name} TEMPLATE {source}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """Throw a database away, whoever uses it."""
        self.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run one statement as the server's owner, outside any transaction."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as conn:
            conn.execute(statement.encode())

    def end(self) -> None:
        """End it and throw its folder away."""
        self.process.send_signal(2)  # "Fast": without waiting for clients.
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def durable() -> Iterator[Server]:
    """Run a server that keeps what it has confirmed, as it comes from Debian, until the block ends."""
    server = _started({key: value for key, value in _SETTINGS.items() if value != "off"})
    try:
        yield server
    finally:
        _running.remove(server)
        server.end()


def _started(wanted: Mapping[str, object]) -> Server:
    found = programs()
    if found is None:
        pytest.skip("postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="warnd-pg-"))
    folder.chmod(0o755)
    chosen = free_port()
    become = _owner(folder)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    make = ["initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [found / make[0], *make[1:]], check=True, capture_output=True, env=env, cwd=folder, timeout=60, **become
    )
    rights = folder / "data" / "pg_hba.conf"
    rights.write_text(f"host all {ASKED_FOR_PASSWORD} 127.0.0.1/32 scram-sha-256\n{rights.read_text()}")
    settings = {**wanted, "port": chosen, "unix_socket_directories": folder}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [found / "postgres", "-D", "data", *options], stdout=log, stderr=log, env=env, cwd=folder, **become
        )
    server = Server(process, folder, chosen)
    _running.append(server)
    _until_it_answers(found, server)
    return server


def _owner(folder: Path) -> dict[str, Any]:
    """Give the folder to somebody who is not root, as whom the server refuses to run; return how to become them."""
    if os.geteuid() != 0:
        return {}
    users = {one.pw_name: one for one in pwd.getpwall()}
    owner = users.get("postgres") or users["nobody"]
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _until_it_answers(found: Path, server: Server) -> None:
    for _ in range(200):
        ready = subprocess.run(
            [found / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-t", "1"], check=False, timeout=5
        )
        if ready.returncode == 0:
            return
        try:
            server.process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"PostgreSQL did not start:\n{(server.folder / 'log').read_text()[-2000:]}")


def run(statement: str) -> None:
    """Run one statement as the server's owner, outside any transaction."""
    if not _talking:
        _talking.append(
            psycopg.connect(host="127.0.0.1", port=port(), user="postgres", dbname="postgres", autocommit=True)
        )
    _talking[0].execute(statement.encode())


def stop() -> None:
    """End what was started and throw its folder away."""
    for connection in _talking:
        connection.close()
    while _running:
        _running.pop().end()
