"""A real IMAP server: Debian's dovecot over one maildir, with TLS, on loopback ports, in a folder of the test's own.

with running_dovecot(maildir) as dovecot:
    ... dovecot.tls_port, dovecot.port, dovecot.folder / "ca.crt"
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from tests.fakes.broker import program
from tests.fakes.certificate import write_certificate
from tests.fakes.email_postfix import OWNER
from tests.ports import free_port

USER, PASSWORD = "warnd", "pässword of the mailbox"
_START_S = 10.0

needs_dovecot = pytest.mark.skipif(
    program("dovecot") is None or os.geteuid() != 0,
    reason="dovecot is not installed (apt install dovecot-imapd), or not root",
)


@dataclass
class Dovecot:
    """One that can be stopped and started; `port` wants STARTTLS, `tls_port` speaks TLS from the first byte."""

    folder: Path
    port: int
    tls_port: int
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and return when it listens."""
        path = program("dovecot")
        assert path is not None, "guard the test with needs_dovecot"
        nothing = subprocess.DEVNULL
        command = [path, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
        give_up_at = monotonic() + _START_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.tls_port), timeout=1):
                return
            assert monotonic() < give_up_at, (self.folder / "log").read_text()

    def stop(self) -> None:
        """End it, sessions and all."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_START_S)
            self._process = None

    def settings(self, folder: Path, *, poll_s: float = 0.2, tls: str = "implicit") -> str:
        """Return `[email.imap]` for it."""
        (folder / "imap-password").write_text(PASSWORD, "utf-8")
        port = self.tls_port if tls == "implicit" else self.port
        lines = [
            "[email.imap]",
            'host = "127.0.0.1"',
            f"port = {port}",
            f'tls = "{tls}"',
            f'ca_file = "{self.folder}/ca.crt"',
        ]
        return "\n".join([*lines, f'username = "{USER}"', 'password_file = "imap-password"', f"poll_s = {poll_s}", ""])


@contextmanager
def running_dovecot(maildir: Path, *, more: str = "") -> Iterator[Dovecot]:
    """Run one over a maildir that user `OWNER` may write to; `more` is put into its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="warnd-dovecot-"))
    folder.chmod(0o755)
    dovecot = Dovecot(folder, free_port(), free_port())
    try:
        _configure(dovecot, maildir)
        with (folder / "dovecot.conf").open("a") as file:
            file.write(more)
        dovecot.start()
        try:
            yield dovecot
        finally:
            dovecot.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(dovecot: Dovecot, maildir: Path) -> None:
    folder = dovecot.folder
    for name in ("run", "state", "home"):
        (folder / name).mkdir()
    os.chown(folder / "home", OWNER, OWNER)
    write_certificate(folder)
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", "utf-8")
    (folder / "dovecot.conf").write_text(f"""\
base_dir = {folder}/run
state_dir = {folder}/state
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{folder}/server.crt
ssl_key = <{folder}/server.key
log_path = {folder}/log
mail_location = maildir:{maildir}
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_max_userip_connections = 100
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {dovecot.port}
  }}
  inet_listener imaps {{
    port = {dovecot.tls_port}
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={OWNER} home={folder}/home
}}
""")
