"""Where tests keep their stores: SQLite files, or databases of a private PostgreSQL cluster in a run with `--store postgresql`.

The cluster is made once for a test process, in a folder of its own, without durability; each store in it is a copy of one that was
upgraded before, which takes a few hundredths of a second.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ports import free_port
from warnd.ledger.store import upgrade

_BIN = Path("/usr/lib/postgresql/15/bin")
_MADE = count(1)
_TEMPLATE = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
KINDS = ("sqlite", "postgresql")
_kind = "sqlite"
_running: list[subprocess.Popen[bytes]] = []
_known: dict[tuple[Path, str], str] = {}


def use(kind: str) -> None:
    """Choose the kind of every store that this run makes."""
    global _kind  # noqa: PLW0603 - a choice of the whole run, made once before its first test
    _kind = kind


def kind() -> str:
    """Return the kind of store that this run uses."""
    return _kind


def store_url(folder: Path, name: str = "warnd") -> str:
    """Return the address of the store called `name` that belongs to `folder`; the same for the same two. It may be empty or upgraded."""
    if _kind == "sqlite":
        return f"sqlite:///{folder / name}.sqlite"
    if (folder, name) not in _known:
        _known[folder, name] = new_database()
    return _known[folder, name]


def new_database(*, empty: bool = False) -> str:
    """Return the address of a fresh PostgreSQL database, upgraded unless `empty`. Skips where PostgreSQL is not installed."""
    port = cluster()
    source = _TEMPLATE if empty else f"TEMPLATE {_upgraded()}"
    name = f"store{next(_MADE)}"
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} {source}".encode())
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"


@cache
def _upgraded() -> str:
    port = cluster()
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE upgraded {_TEMPLATE}".encode())
    upgrade(f"postgresql://postgres@127.0.0.1:{port}/upgraded")
    return "upgraded"


@cache
def cluster() -> int:
    """Start this process's cluster; return its port."""
    if not (_BIN / "postgres").exists():
        pytest.skip("postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="warnd-pg-"))
    folder.chmod(0o755)
    data, port = folder / "data", free_port()
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())  # It refuses to run as root.
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    become: dict[str, Any] = (
        {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    make: list[str | Path] = [
        _BIN / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    subprocess.run(make, check=True, capture_output=True, env=env, cwd=folder, **become)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 200,
        "shared_buffers": "64MB",
        "autovacuum": "off",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [_BIN / "postgres", "-D", data, *options], stdout=log, stderr=log, env=env, cwd=folder, **become
        )
    _running.append(server)
    _folders.append(folder)
    subprocess.run(
        [_BIN / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "1"], check=False, capture_output=True, env=env
    )
    _until_it_answers(port, server)
    return port


_folders: list[Path] = []


def _until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        ready = subprocess.run(
            [_BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"], check=False, timeout=5
        )
        if ready.returncode == 0:
            return
        if server.poll() is not None:
            break
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"PostgreSQL did not start; see {_folders[-1] / 'log'}")


def stop() -> None:
    """End what was started and throw its folder away."""
    for server in _running:
        server.terminate()  # Its "smart" shutdown would wait for every client.
        server.send_signal(2)
        server.wait(20)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
