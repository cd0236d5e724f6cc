"""A PgBouncer in transaction mode before a PostgreSQL server: each transaction may get another connection than the one before."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.postgres_pair import as_owner, room
from tests.ports import free_port
from warnd.resources import shipped

_PATH = f"{os.environ['PATH']}:/usr/sbin"
_FEW = 3  # Connections to the server, for workers that have five each: they must take turns.


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """Return an address of the same database through a pooler set up as shipped. Skips where there is none."""
    program = shutil.which("pgbouncer", path=_PATH)
    if program is None:
        pytest.skip("pgbouncer is not installed")
    folder, port, server = room(), free_port(), urlsplit(url)
    written = (shipped("config") / "scale-out" / "pgbouncer.ini").read_text("utf-8")
    for placeholder, value in {
        "db.example.org": str(server.hostname),
        "5432": str(server.port),
        "6432": str(port),
        "dbname=warnd": f"dbname={server.path.strip('/')}",
        "auth_type = scram-sha-256": "auth_type = trust",
        "/etc/pgbouncer/": f"{folder}/",
        "/var/run/postgresql": str(folder),
        "/var/log/postgresql/": f"{folder}/",
        "default_pool_size = 20": f"default_pool_size = {_FEW}",
    }.items():
        assert placeholder in written, placeholder
        written = written.replace(placeholder, value)
    (folder / "pgbouncer.ini").write_text(written, "utf-8")
    (folder / "userlist.txt").write_text('"postgres" ""\n', "utf-8")
    with (folder / "log").open("wb") as log:
        pooler = subprocess.Popen([program, folder / "pgbouncer.ini"], stdout=log, stderr=log, cwd=folder, **as_owner())
    try:
        _until_it_listens(pooler, port, folder / "log")
        yield f"postgresql://postgres@127.0.0.1:{port}/warnd"
    finally:
        pooler.terminate()
        pooler.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _until_it_listens(pooler: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            pooler.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"PgBouncer did not start:\n{log.read_text(errors='replace')}")
