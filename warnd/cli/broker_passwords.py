"""Users in mosquitto's password files. A running broker reads them again at SIGHUP, and cuts nobody's connection for it."""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warnd.cli.stop import Exit, Stop

_ROUNDS: Final = 20_000  # At each login and each start of the broker; mosquitto_passwd's own 101 are none.
_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64


def entry(user: str, password: str) -> str:
    """Return a line as mosquitto_passwd writes it: user:$7$rounds$salt$hash, PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS, _HASH_BYTES)
    return f"{user}:$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


def change(path: Path, *, enrol: Mapping[str, str], expel: tuple[str, ...] = ()) -> None:
    """Give users a password and take others out; everybody else's line stays as it is. The file is put in place whole.

    Raises:
        Stop: The file cannot be read or written.
    """
    try:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        gone = {*enrol, *expel}
        kept = [line for line in lines if line.partition(":")[0] not in gone]
        _put(path, "".join(f"{line}\n" for line in [*kept, *(entry(user, word) for user, word in enrol.items())]))
    except OSError as error:
        cause = f"{path}: the broker's password file cannot be changed ({error.strerror}); run this as a user who may"
        raise Stop(cause, code=Exit.UNREACHABLE) from error


def _put(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    mode, owner = 0o640, None
    if path.exists():
        found = path.stat()
        mode, owner = found.st_mode & 0o777, (found.st_uid, found.st_gid)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        os.fsync(file.fileno())
    beside.replace(path)
