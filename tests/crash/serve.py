"""Starts the real `warnd serve` in a process of its own, which may kill itself at a named point: SIGKILL, as hard as a power cut.

A fork server with everything imported starts each daemon in a fraction of a second. What watches the daemon is put around it from
outside, in its own process, before it begins; nothing in the product knows of it.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

import channels
from tests.crash.watched import Watched
from tests.waiting import until
from warnd import daemon
from warnd.channel import Channel, Context, Outcome, Outgoing, Receipt, ReceiptSink
from warnd.cli.logs import write_logs
from warnd.clock import SystemClock
from warnd.daemon import service
from warnd.ledger.door import Ledger, Operation, P, T
from warnd.settings import Settings, load

_SOON_S = 0.02  # For a confirmation to be on its way.
CLOCK = "clock-off-s"
"""A file beside the settings: by how many seconds the daemon's clock is wrong, from its start on."""

TROUBLE = "store-trouble"
"""A file beside the settings: how the store fails now, READ_ONLY or SLOW; empty = it works. Looked at if it is there at the start."""

READ_ONLY, SLOW = "read-only", "slow"
_SLOW_S = 2.0
_ANSWERED = "http.response.start"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where a daemon kills itself: right before or right after the n-th time that it takes a step, n from 1."""

    when: Literal["before", "after"]
    name: str
    number: int = 1

    def __str__(self) -> str:
        """Return it as it stands in tables and logs."""
        return f"{self.when} {self.name}" + (f" #{self.number}" if self.number > 1 else "")


class _Death:
    """A trap that kills the process that it is in."""

    def __init__(self, point: Point | None) -> None:
        self._point = point
        self._seen: Counter[tuple[str, str]] = Counter()

    def before(self, names: Sequence[str]) -> None:
        self._reached("before", names)

    def after(self, names: Sequence[str]) -> None:
        self._reached("after", names)

    def _reached(self, when: str, names: Sequence[str]) -> None:
        for name in names:
            self._seen[when, name] += 1
            point = self._point
            if (
                point is not None
                and (when, name) == (point.when, point.name)
                and self._seen[when, name] == point.number
            ):
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class Served:
    """One daemon's process."""

    process: ForkServerProcess

    def alive(self) -> bool:
        """Say whether it runs."""
        return self.process.is_alive()

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> None:
        """End it as an operator does."""
        self.process.terminate()
        await self.ended()

    async def ended(self, *, within_s: float = 30.0) -> None:
        """Return when it has ended."""
        await until(lambda: not self.alive(), timeout_s=within_s)
        self.process.join()

    @property
    def killed(self) -> bool:
        """Whether it was ended by SIGKILL."""
        return self.process.exitcode == -signal.SIGKILL


async def start(config: Path, *, log: Path, point: Point | None = None, wait: bool = True) -> Served:
    """Start a daemon; return when it serves, or has died; at once without `wait`."""
    ready = log.with_name(f"{log.name}.ready")
    ready.unlink(missing_ok=True)
    process = _forks().Process(target=_run, args=(str(config), str(log), str(ready), point))
    process.start()
    if wait:
        await until(lambda: ready.exists() or not process.is_alive(), timeout_s=_START_S)
    return Served(process)


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.serve", "channels.email", "channels.mqtt", "channels.sms.spool"])
    return context


def _run(config: str, log: str, ready: str, point: Point | None) -> None:
    """Be the daemon, in the new process."""
    for name in [name for name in os.environ if name.startswith("WARND_")]:
        del os.environ[name]
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(written, stream)
    trap = _Death(point)
    parts: dict[str, Any] = vars(service)
    opening, serving = parts["open_ledger"], parts["serve"]

    trouble = Path(config).with_name(TROUBLE)

    def open_ledger(url: str) -> Ledger:
        return Watched(Troubled(opening(url), trouble) if trouble.exists() else opening(url), trap)

    def serve_watched(app: Any, **kwargs: Any) -> Any:
        app.add_middleware(_Answers, trap=trap)
        return serving(app, **kwargs)

    parts.update(open_ledger=open_ledger, serve=serve_watched)
    settings = load(Path(config), {})
    write_logs(settings.log)
    build = {name: _building(make, trap) for name, make in channels.CHANNELS.items()}
    off = Path(config).with_name(CLOCK)
    clock = JumpingClock(off) if off.exists() else SystemClock()
    daemon.run(settings, ready=lambda _url: Path(ready).touch(), clock=clock, build=build)


class Troubled:
    """A ledger over a disk that fails as a file says; the failure is SQLite's own, or its time is truly spent."""

    def __init__(self, inner: Ledger, file: Path) -> None:
        self._inner = inner
        self._file = file

    async def read(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that only reads."""
        return await self._inner.read(op, *args, **kwargs)

    async def write(self, op: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in one transaction."""
        trouble = self._file.read_text("utf-8")

        def troubled(conn: Connection) -> T:
            if trouble == READ_ONLY:
                conn.exec_driver_sql("PRAGMA query_only = 1")
            try:
                result = op(conn, *args, **kwargs)
            finally:
                conn.exec_driver_sql("PRAGMA query_only = 0")
            if trouble == SLOW:
                threading.Event().wait(_SLOW_S)  # In the ledger's own thread, as a disk would keep it waiting.
            return result

        return await self._inner.write(troubled)

    async def close(self) -> None:
        """Close the real one."""
        await self._inner.close()


class JumpingClock(SystemClock):
    """The machine's clock, off by the seconds that stand in a file; its monotonic scale goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """Return what a clock that was set wrong tells."""
        return super().now() + timedelta(seconds=float(self._file.read_text("utf-8")))


def _building(make: channels.Build, trap: _Death) -> channels.Build:
    def build(settings: Settings, context: Context) -> Channel | None:
        made = make(settings, context)
        return None if made is None else _watched(made, trap)

    return build


def _watched(channel: Channel, trap: _Death) -> Channel:
    """Give a channel's object a class of its own whose sending and receipts pass the trap; it keeps all its optional faces."""
    kind: Any = type(channel)

    async def send(self: Any, batch: Sequence[Outgoing]) -> AsyncIterator[tuple[int, Outcome]]:
        for _ in batch:
            trap.before([f"leaves: {channel.name}"])
        async for each in kind.send(self, batch):
            trap.after([f"leaves: {channel.name}"])
            yield each

    async def run(self: Any, sink: ReceiptSink) -> None:
        async def kept(receipt: Receipt) -> int | None:
            reached = await sink(receipt)
            trap.before([f"confirmed: {channel.name}"])
            asyncio.get_running_loop().call_later(_SOON_S, trap.after, [f"confirmed: {channel.name}"])
            return reached

        await kind.run(self, kept)

    made: Any = type(f"Watched{kind.__name__}", (kind,), {"__slots__": (), "send": send, "run": run})
    channel.__class__ = made
    return channel


class _Answers:
    """Middleware that passes the trap right before and right after a submitter is answered."""

    def __init__(self, app: Any, *, trap: _Death) -> None:
        self._app = app
        self._trap = trap

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == _ANSWERED:
                self._trap.before(["answer: submitter"])
            await send(message)
            if message["type"] != _ANSWERED and not message.get("more_body"):
                self._trap.after(["answer: submitter"])

        brought = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith("/api/v1/warnings")
        await self._app(scope, receive, sent if brought else send)
