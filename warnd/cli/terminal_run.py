"""Composes one terminal from what was given on the command line, and runs it until it is told to end."""

import asyncio
import os
import random
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from warnd.cli.stop import Exit, Stop
from warnd.clock import Clock, SystemClock
from warnd.model.loudspeaker import Amplifier, KeyFileError, Lineage, load_private_key, load_trust
from warnd.model.loudspeaker.fields import is_label
from warnd.terminal import Access, Place, Speaker, Terminal, mp3
from warnd.terminal.output import Nowhere, SoundCard, amplifier_in
from warnd.terminal.recordings import Recordings
from warnd.terminal.voice import Espeak, silent_voice

_STDERR: Final = 2
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of `warnd terminal run`."""

    terminal: str
    region: str
    broker: str
    password: str | None
    drill_broker: str | None
    drill_password: str | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    drill_cert_file: Path | None
    drill_key_file: Path | None
    key: Path
    trust: Path
    state: Path
    silent: bool
    audio_hosts: tuple[str, ...]
    amplifier_file: Path | None
    mixer: str
    trust_clock: bool
    heartbeat_s: int


def run_terminal(given: Given) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        Stop: An option is wrong, or a file or folder cannot be opened.
    """
    _log_to_stderr()
    clock = SystemClock()
    place = _place(given)
    live = access(
        "--broker",
        given.broker,
        terminal=given.terminal,
        password=given.password,
        ca_file=given.ca_file,
        own=_pair("--cert-file", given.cert_file, given.key_file),
    )
    drill = None
    if given.drill_broker is not None:
        drill = access(
            "--drill-broker",
            given.drill_broker,
            terminal=given.terminal,
            password=given.drill_password,
            ca_file=given.ca_file,
            own=_pair("--drill-cert-file", given.drill_cert_file, given.drill_key_file),
        )
    asyncio.run(_run(given, place, clock=clock, live=live, drill=drill))


async def _run(given: Given, place: Place, *, clock: Clock, live: Access, drill: Access | None) -> None:
    try:
        terminal = Terminal(
            place,
            speaker=_speaker(given, clock),
            clock=clock,
            chance=random.SystemRandom(),
            live=live,
            drill=drill,
            heartbeat_s=given.heartbeat_s,
        )
    except OSError as error:
        raise Stop(f"--state {given.state}: {error.strerror or error}", code=Exit.UNREACHABLE) from error
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(), name="terminal")
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, running.cancel)


def _place(given: Given) -> Place:
    if not is_label(given.terminal):
        raise Stop(
            f"--id {given.terminal!r}: use 1 to 128 characters without white space, '/', '+' and '#'", code=Exit.USAGE
        )
    try:
        lineage = Lineage.parse(given.region)
    except ValueError as error:
        raise Stop(f"--region: {error}", code=Exit.USAGE) from error
    try:
        key, trust = load_private_key(given.key), load_trust(given.trust)
    except KeyFileError as error:
        raise Stop(str(error), code=Exit.UNREACHABLE) from error
    return Place(
        terminal=given.terminal,
        lineage=lineage,
        key=key,
        trust=trust,
        state=given.state,
        trust_clock=given.trust_clock,
    )


def _pair(option: str, cert_file: Path | None, key_file: Path | None) -> tuple[Path, Path] | None:
    if cert_file is None and key_file is None:
        return None
    if cert_file is None or key_file is None:
        key_option = option.replace("cert", "key")
        raise Stop(f"{option} and {key_option} go together: give both, or neither", code=Exit.USAGE)
    return cert_file, key_file


def access(
    option: str,
    address: str,
    *,
    terminal: str,
    password: str | None,
    ca_file: Path | None,
    own: tuple[Path, Path] | None = None,
) -> Access:
    """Return how to reach the broker that an option names; `own` is the terminal's certificate and its key.

    Raises:
        Stop: The address or the certificate file cannot be used.
    """
    try:
        parts = urlsplit(address if "://" in address else f"mqtt://{address}")
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError) as error:
        raise Stop(f"{option} {address!r}: write mqtts://HOST:PORT or mqtt://HOST:PORT", code=Exit.USAGE) from error
    if not parts.hostname or parts.path.strip("/"):
        raise Stop(f"{option} {address!r}: write mqtts://HOST:PORT or mqtt://HOST:PORT", code=Exit.USAGE)
    if ca_file is not None and not ca_file.is_file():
        raise Stop(f"--ca-file {ca_file}: there is no such file", code=Exit.UNREACHABLE)
    if own is not None and parts.scheme != "mqtts":
        raise Stop(f"{option} {address!r}: a certificate is shown only over mqtts://", code=Exit.USAGE)
    secret = password if parts.password is None else unquote(parts.password)
    user = unquote(parts.username) if parts.username else None
    found = Access(
        parts.hostname,
        port,
        username=user or (None if secret is None else terminal),
        password=secret,
        tls=parts.scheme == "mqtts",
        ca_file=ca_file,
        cert_file=own and own[0],
        key_file=own and own[1],
    )
    try:
        found.context()
    except OSError as error:
        files = ", ".join(str(path) for path in (ca_file, *(own or ())) if path is not None)
        raise Stop(f"{files}: not PEM files that belong together ({error})", code=Exit.UNREACHABLE) from error
    return found


def _speaker(given: Given, clock: Clock) -> Speaker:
    recordings = Recordings(given.state / "audio", hosts=given.audio_hosts, clock=clock)
    amplifier = amplifier_in(given.amplifier_file)
    if given.silent:
        _log.warning("silent", meaning="this terminal makes no sound; its receipts prove nothing about a village")
        return Speaker(silent_voice(), Nowhere(clock, amplifier=amplifier), recordings=recordings, listened=False)
    if shutil.which("espeak-ng") is None:
        _log.error("no_voice", cause="espeak-ng is not installed", fix="apt install espeak-ng")
    if given.audio_hosts and not mp3.installed():
        _log.error(
            "no_mp3",
            cause="mpg123 is not installed",
            fix="apt install mpg123",
            meaning="the voice speaks in place of recordings",
        )
    if shutil.which("aplay") is None:
        # Whole passes would otherwise be reported from a machine that cannot make a sound.
        _log.error(
            "no_sound",
            cause="aplay is not installed",
            fix="apt install alsa-utils",
            meaning="the amplifier counts as faulty",
        )
        return Speaker(Espeak(), Nowhere(clock, amplifier=lambda: Amplifier.FAULT), recordings=recordings)
    return Speaker(Espeak(), SoundCard(clock, amplifier=amplifier, mixer=given.mixer), recordings=recordings)


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        logger_factory=_Stderr,
    )


class _Stderr:
    """Standard error, which may be a file on a full disk: a line that cannot be written is lost, the terminal is not."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        """Write one line, if it can be written."""
        with suppress(OSError):
            os.write(_STDERR, f"{line}\n".encode("utf-8", "backslashreplace"))

    debug = info = warning = error = critical = msg
