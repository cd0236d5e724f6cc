"""The daemon as a process: its store and lock, its address, its signals."""

import asyncio
import gc
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

import channels
from warnd import __version__
from warnd.clock import Clock, SystemClock
from warnd.daemon import systemd
from warnd.daemon.daemon import Daemon
from warnd.daemon.files import Files, read_files
from warnd.daemon.loop import Turns, measured_loop
from warnd.daemon.worker import Identity, Worker, store_clock
from warnd.ledger import node
from warnd.ledger.store import DaemonLock, Ledger, StoreError, open_ledger, shared, shown, sqlite_path, upgrade
from warnd.model import answer
from warnd.settings import Settings
from warnd.settings.kinds import Endpoint
from warnd.web.server import bind, prepare, serve

_TAG_BITS = 40
_NEWER = "a newer warnd works on this store too, and this one can; upgrade this one when the others are seen to work"
# How long a thread that works may keep the event loop waiting each time the loop has let go, which it does in every send and receive.
# Python's own five milliseconds made half a second of fifty texts while a group of outcomes was being recorded.
_SWITCH_S = 0.0005
# Python looks for garbage at every 700 objects more than before; a hundred receipts under way are as many, and none of them is garbage.
_GARBAGE = (10_000, 10, 10)

log = structlog.get_logger(__name__)


def run(
    settings: Settings,
    *,
    ready: Callable[[str], None] = lambda _url: None,
    clock: Clock | None = None,
    build: Mapping[str, channels.Build] = channels.CHANNELS,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: As `warnd.settings.load` returned them.
        ready: Called once with the address when requests are answered.
        clock: This machine's own; None = the system's.
        build: The channels.

    Raises:
        SettingsError, ConfigurationError: A file has a problem.
        StoreError: The store cannot be opened, or another daemon serves it.
        CannotListen: The address cannot be bound.
        KeyFileError: A signing key cannot be used.
    """
    files = read_files(settings)
    _make_room(settings.store.url)
    newer = upgrade(settings.store.url)
    if newer is not None:
        log.warning("store_is_newer", migration=newer, meaning=_NEWER)
    lock = DaemonLock(settings.store.url)
    try:
        endpoint = settings.http.listen
        listening = bind(endpoint.host, endpoint.port)
        sys.setswitchinterval(_SWITCH_S)
        turns = Turns()
        settings, own_url = _placed(settings, listening)
        ledger = open_ledger(settings.store.url)
        with asyncio.Runner(loop_factory=partial(measured_loop, turns)) as runner:
            try:
                known = runner.run(_look(settings, ledger, own=clock or SystemClock()))
                turns.end()  # What is done between two runs of the loop holds it up for nobody.
                daemon = _daemon(settings, files, ledger=ledger, known=known, build=build)
                prepare(daemon.app)
                daemon.registry.register(turns)
                runner.run(_run(daemon, listening, worker=known.worker, own_url=own_url, ready=ready))
            finally:
                runner.run(ledger.close())
    finally:
        lock.release()


def _make_room(url: str) -> None:
    path = sqlite_path(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"Cannot make {path.parent}, where store.url lies: {error.strerror}. Make it, or name another."
        ) from error


@dataclass(frozen=True, slots=True)
class _Known:
    """What a daemon must know of its store before it can be made."""

    tag: str
    answer_key: bytes
    writer: str
    clock: Clock
    worker: Worker | None


_CHANCE = random.SystemRandom()


def _placed(settings: Settings, listening: socket.socket) -> tuple[Settings, str]:
    """Return the settings with the address and the name that this process has got, and the address as a URL."""
    host, port = listening.getsockname()[:2]
    bound = settings.http.model_copy(update={"listen": Endpoint(host, port)})  # Port 0 has become one.
    named = settings.node.model_copy(update={"worker": settings.node.worker or f"{socket.gethostname()}-{port}"})
    own_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return settings.model_copy(update={"http": bound, "node": named}), own_url


async def _look(settings: Settings, ledger: Ledger, *, own: Clock) -> _Known:
    tag = await ledger.write(node.tag, fresh=f"{_CHANCE.getrandbits(_TAG_BITS):010x}")
    writer = f"{_CHANCE.getrandbits(128):032x}"
    clock, worker = await _among_others(settings, ledger, own=own, writer=writer)
    answer_key = await ledger.write(node.answer_key, fresh=_CHANCE.randbytes(answer.KEY_BYTES))
    return _Known(tag, answer_key, writer, clock, worker)


def _daemon(
    settings: Settings, files: Files, *, ledger: Ledger, known: _Known, build: Mapping[str, channels.Build]
) -> Daemon:
    return Daemon(
        settings,
        ledger=ledger,
        clock=known.clock,
        chance=_CHANCE,
        writer=known.writer,
        tag=known.tag,
        answer_key=known.answer_key,
        files=files,
        public_url=settings.http.public_url or settings.http.own_url,
        alone=known.worker is None,
        worker=known.worker,
        build=build,
    )


async def _run(
    daemon: Daemon, listening: socket.socket, *, worker: Worker | None, own_url: str, ready: Callable[[str], None]
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    log.info("starting", url=own_url, channels=sorted(daemon.channels), store=shown(daemon.settings.store.url))
    async with _signed_in(worker):
        serving = serve(daemon.app, listening=listening, started=partial(_ready, ready, own_url))
        await daemon.run(serving, systemd.turn())
    log.info("stopped")


def _ready(told: Callable[[str], None], own_url: str) -> None:
    # What stands by now stays: looked through again and again for garbage, it would hold the loop for a tenth of a second each time.
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    systemd.notify("READY=1")
    told(own_url)


async def _among_others(settings: Settings, ledger: Ledger, *, own: Clock, writer: str) -> tuple[Clock, Worker | None]:
    """Return the clock to go by, and this process as one of several on a shared store; None = nobody else serves it."""
    if not shared(settings.store.url):
        return own, None
    clock = await store_clock(ledger, own)
    assert settings.node.worker is not None
    return clock, Worker(ledger, clock, own=Identity(settings.node.worker, __version__, writer))


@asynccontextmanager
async def _signed_in(worker: Worker | None) -> AsyncIterator[None]:
    if worker is None:
        yield
        return
    await worker.join()
    try:
        yield
    finally:
        await worker.leave()
