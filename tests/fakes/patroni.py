"""A Patroni cluster with etcd and HAProxy on loopback, set up from the shipped examples: only addresses and passwords are others."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.fakes.postgres_pair import as_owner, binaries, room
from tests.ports import free_port
from warnd.resources import shipped

_PATH = f"{os.environ['PATH']}:/usr/sbin"
_NEEDED = ("patroni", "patronictl", "etcd", "haproxy")
_SHIPPED = shipped("config") / "scale-out"
_START_TRIES = 600


@dataclass(slots=True)
class Node:
    """One member of the cluster."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    rest: int = field(default_factory=free_port)

    @property
    def config(self) -> Path:
        """Its settings."""
        return self.folder / f"{self.name}.yml"

    def state(self) -> dict[str, Any]:
        """Return what it says of itself; empty while it says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/patroni", timeout=2) as answer:
                return dict(json.load(answer))
        except OSError:
            return {}

    def kill_postmaster(self) -> None:
        """End its PostgreSQL as a crash does."""
        pid = int((self.folder / self.name / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The members, and the address that leads to whichever of them is the primary."""

    folder: Path
    nodes: tuple[Node, Node]
    url: str

    def primary(self) -> Node | None:
        """Return the member that takes writes, if there is one."""
        return next((node for node in self.nodes if node.state().get("role") in {"master", "primary"}), None)

    def synchronous(self) -> bool:
        """Say whether a standby confirms each commit."""
        return any(node.state().get("sync_standby") for node in self.nodes)

    def switch_over(self) -> None:
        """Let the standby become the primary, as an operator does."""
        config = self.nodes[0].config
        told = subprocess.run(
            ["patronictl", "-c", config, "switchover", "--force"],
            check=False, capture_output=True, text=True, timeout=60, env=_environ(), **as_owner(),
        )  # fmt: skip
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Successfully switched over" in told.stdout, told.stdout


@contextmanager
def patroni_cluster() -> Iterator[Cluster]:
    """Run the cluster with an empty database `warnd`. Skips where one of its programs is missing."""
    for program in _NEEDED:
        if shutil.which(program, path=_PATH) is None:
            pytest.skip(f"{program} is not installed")
    binaries()
    folder, front = room(), free_port()
    nodes = (Node("db1", folder), Node("db2", folder))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        etcd = _etcd(stack, folder)
        cluster = Cluster(folder, nodes, f"postgresql://warnd:secret@127.0.0.1:{front}/warnd")
        for node in nodes:
            _write(node, etcd)
            member = _run(stack, folder, "patroni", node.config)
            _until(lambda: cluster.primary() is not None, member)
        balancer = _haproxy(stack, cluster, front)
        _until(cluster.synchronous, balancer)
        _database(cluster)
        yield cluster


def _etcd(stack: ExitStack, folder: Path) -> int:
    client, peer = free_port(), free_port()
    clients, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    _run(
        stack, folder, "etcd", "--data-dir", folder / "etcd",
        "--listen-client-urls", clients, "--advertise-client-urls", clients,
        "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
    )  # fmt: skip
    return client


def _write(node: Node, etcd: int) -> None:
    others = {
        "name: db1": f"name: {node.name}",
        "0.0.0.0:8008": f"127.0.0.1:{node.rest}",
        "db1.example.org:8008": f"127.0.0.1:{node.rest}",
        "0.0.0.0:5432": f"127.0.0.1:{node.port}",
        "db1.example.org:5432": f"127.0.0.1:{node.port}",
        "etcd1.example.org:2379, etcd2.example.org:2379, etcd3.example.org:2379": f"127.0.0.1:{etcd}",
        "10.0.0.0/8": "127.0.0.1/32",
        "/var/lib/postgresql/15/warnd": str(node.folder / node.name),
        "/usr/lib/postgresql/15/bin": str(binaries()),
        "/var/lib/postgresql/.pgpass-patroni": str(node.folder / f"{node.name}.pgpass"),
    }
    told = _filled("patroni.yml", others)
    told += f"  parameters:\n    unix_socket_directories: {node.folder}\n"
    node.config.write_text(told, "utf-8")


def _haproxy(stack: ExitStack, cluster: Cluster, front: int) -> subprocess.Popen[bytes]:
    first, second = cluster.nodes
    told = _filled(
        "haproxy.cfg",
        {
            "127.0.0.1:5000": f"127.0.0.1:{front}",
            "db1.example.org:5432 check port 8008": f"127.0.0.1:{first.port} check port {first.rest}",
            "db2.example.org:5432 check port 8008": f"127.0.0.1:{second.port} check port {second.rest}",
            "    server db3 db3.example.org:5432 check port 8008\n": "",
        },
    )
    (cluster.folder / "haproxy.cfg").write_text(told.partition("# The workers:")[0], "utf-8")
    return _run(stack, cluster.folder, "haproxy", "-db", "-f", cluster.folder / "haproxy.cfg")


@contextmanager
def web_front(ports: Sequence[int]) -> Iterator[str]:
    """Run HAProxy before two workers as shipped; give its address. Skips where it is missing."""
    if shutil.which("haproxy", path=_PATH) is None:
        pytest.skip("haproxy is not installed")
    folder, front = room(), free_port()
    workers = {f"worker{number}.example.org:8080": f"127.0.0.1:{port}" for number, port in enumerate(ports, 1)}
    head, _, rest = _filled("haproxy.cfg", {"bind :80": f"bind 127.0.0.1:{front}", **workers}).partition(
        "# The database:"
    )
    (folder / "haproxy.cfg").write_text(head + rest.partition("# The workers:")[2].partition("\n")[2], "utf-8")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _run(stack, folder, "haproxy", "-db", "-f", folder / "haproxy.cfg")
        yield f"http://127.0.0.1:{front}"


def _filled(name: str, values: dict[str, str]) -> str:
    told = (_SHIPPED / name).read_text("utf-8")
    for placeholder, value in values.items():
        assert placeholder in told, placeholder
        told = told.replace(placeholder, value)
    return told


def _database(cluster: Cluster) -> None:
    primary = cluster.primary()
    assert primary is not None
    where = {"host": "127.0.0.1", "port": primary.port, "user": "postgres", "password": "CHANGE-ME-1"}
    with psycopg.connect(**where, dbname="postgres", autocommit=True) as conn:  # type: ignore[arg-type]  # The stub knows no mixture.
        conn.execute("CREATE ROLE warnd LOGIN PASSWORD 'secret'")
        conn.execute(
            "CREATE DATABASE warnd OWNER warnd TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        )


def _run(stack: ExitStack, folder: Path, *command: str | Path) -> subprocess.Popen[bytes]:
    program = shutil.which(str(command[0]), path=_PATH)
    assert program is not None
    with (folder / f"{command[0]}.log").open("ab") as log:
        started = subprocess.Popen(
            [program, *command[1:]], stdout=log, stderr=log, cwd=folder, env=_environ(), **as_owner()
        )
    stack.callback(_end, started)
    return started


def _until(condition: Callable[[], object], program: subprocess.Popen[bytes]) -> None:
    for _ in range(_START_TRIES):
        if condition():
            return
        try:
            program.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the cluster did not come up; {program.args!r} ended with {program.returncode}")


def _end(started: subprocess.Popen[bytes]) -> None:
    """Stop it; Patroni stops its PostgreSQL first."""
    started.terminate()
    try:
        started.wait(30)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait(10)


def _environ() -> dict[str, str]:
    return {"PATH": _PATH, "LC_ALL": "C.UTF-8"}
