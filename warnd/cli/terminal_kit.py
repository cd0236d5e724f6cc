"""The folder with all that one terminal needs: its key, whom it obeys, what it logs in with. Made once, kept when it is there."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warnd.cli.broker_users import BrokerUsers, Passwords
from warnd.cli.stop import Exit, Stop
from warnd.model.loudspeaker import (
    DRILL_ROOT,
    LIVE_ROOT,
    KeyFileError,
    TrustedKey,
    load_private_key,
    private_key_pem,
    public_bytes,
    trust_text,
)
from warnd.settings.sections.mqtt import Mqtt

INSTALLED: Final = Path("/etc/warnd-terminal")
"""Where the unit that ships with warnd looks for what lies in a kit."""

_SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Kit:
    """One terminal's folder as it stands."""

    terminal: str
    folder: Path
    public_key: bytes
    passwords: Passwords | None


def make(terminal: str, folder: Path, *, region: str, mqtt: Mqtt, users: BrokerUsers | None) -> Kit:
    """Write what is missing in a terminal's folder; a key or password that is there stays.

    Args:
        terminal: Its id.
        folder: Its own.
        region: As `--region` of `warnd terminal run` takes it.
        mqtt: Where the broker is, and whose commands it shall obey.
        users: Where it gets an account; None = it keeps the one that it has.

    Raises:
        Stop: A file cannot be read or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = folder / "key.pem"
        if not key.exists():
            _write(key, private_key_pem(Ed25519PrivateKey.generate()))
        words = None if users is None else _passwords(terminal, folder, drills=users.drills)
        (folder / "trust.json").write_text(trust_text(_trusted(mqtt)), "utf-8")
        if users is not None:
            (folder / "terminal.env").write_text(_environment(terminal, region, mqtt, users), "utf-8")
        if mqtt.ca_file is not None:
            (folder / "ca.crt").write_bytes(mqtt.ca_file.read_bytes())
        return Kit(terminal, folder, public_bytes(load_private_key(key)), words)
    except OSError as error:
        cause = f"{error.filename or folder}: cannot be written or read ({error.strerror}); choose another --out"
        raise Stop(cause, code=Exit.UNREACHABLE) from error
    except KeyFileError as error:
        raise Stop(str(error), code=Exit.UNREACHABLE) from error


def _passwords(terminal: str, folder: Path, *, drills: bool) -> Passwords:
    drill = _password(folder / "drill-password") if drills else None
    return Passwords(terminal, _password(folder / "password"), drill)


def _password(path: Path) -> str:
    if not path.exists():
        _write(path, secrets.token_urlsafe(_SECRET_BYTES).encode() + b"\n")
    return path.read_text("utf-8").strip()


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _trusted(mqtt: Mqtt) -> Sequence[TrustedKey]:
    links = [(LIVE_ROOT, mqtt), *([(DRILL_ROOT, mqtt.drill)] if mqtt.drill else [])]
    return [TrustedKey(public_bytes(load_private_key(link.signing_key_file)), root) for root, link in links]


def _environment(terminal: str, region: str, mqtt: Mqtt, users: BrokerUsers) -> str:
    scheme = "mqtts" if mqtt.tls else "mqtt"
    lines = [f"ID={terminal}", f"REGION={region}", f"BROKER={scheme}://{mqtt.host}:{mqtt.port}"]
    if users.drills:
        port = mqtt.drill.port if mqtt.drill else mqtt.port
        broker = f"{scheme}://{users.login_of(terminal, drill=True)}@{mqtt.host}:{port}"
        lines.append(f'OPTIONS="--drill-broker {broker} --drill-password-file {INSTALLED}/drill-password"')
    return "\n".join(lines) + "\n"
