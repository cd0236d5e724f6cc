"""A real mail server: Debian's postfix, an instance of its own in a temporary folder on a loopback port, and nothing leaves it.

    with running_postfix() as postfix:
        ... postfix.port, postfix.mails("li@village.example"), postfix.maildir("bounce@county.example")

It demands STARTTLS, offers DSN, delivers village.example and county.example into maildirs, returns what nobody receives, and refuses
refused@village.example at once. Postfix starts only as root, and its own users must be able to enter the folder.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from time import monotonic

import pytest

from tests.fakes.broker import program
from tests.fakes.certificate import write_certificate
from tests.ports import free_port

MAILBOXES = ("li@village.example", "wang@village.example", "bounce@county.example", "warn@county.example")
OWNER = 65534  # nobody, and nogroup: postfix delivers to no mailbox of root's.
_START_S = 10.0
_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

needs_postfix = pytest.mark.skipif(
    program("postfix") is None or os.geteuid() != 0,
    reason="postfix is not installed (apt install postfix), or not root",
)


@dataclass(frozen=True)
class Postfix:
    """One that runs; `folder / "ca.crt"` proves it."""

    folder: Path
    port: int

    def maildir(self, address: str) -> Path:
        """Return a mailbox's folder."""
        return self.folder / "mail" / address

    def mails(self, address: str) -> list[bytes]:
        """Return what was delivered to a mailbox."""
        return [path.read_bytes() for path in sorted((self.maildir(address) / "new").glob("*"))]

    def parsed(self, address: str) -> list[EmailMessage]:
        """Return it parsed."""
        return [message_from_bytes(raw, policy=default) for raw in self.mails(address)]

    def log(self) -> str:
        """Return what postfix wrote."""
        path = self.folder / "maillog"
        return path.read_text() if path.exists() else ""


@contextmanager
def running_postfix() -> Iterator[Postfix]:
    """Run one and end it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="warnd-postfix-"))
    folder.chmod(0o755)
    postfix = Postfix(folder, free_port())
    try:
        _configure(postfix)
        path = program("postfix")
        assert path is not None, "guard the test with needs_postfix"
        command = [path, "-c", str(folder / "etc")]
        nothing = (
            subprocess.DEVNULL
        )  # A part of it that outlives a test must not hold the pipes of whoever runs the tests.
        process = subprocess.Popen([*command, "start-fg"], stdin=nothing, stdout=nothing, stderr=nothing)
        try:
            _wait_until_ready(postfix)
            yield postfix
        finally:
            subprocess.run([*command, "abort"], check=False, capture_output=True, timeout=_START_S)
            process.wait(_START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(postfix: Postfix) -> None:
    folder = postfix.folder
    for name in ("etc", "spool", "data", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    for address in MAILBOXES:
        for part in ("new", "cur", "tmp"):
            (postfix.maildir(address) / part).mkdir(parents=True)
    for path in ((folder / "mail"), *(folder / "mail").rglob("*")):
        os.chown(path, OWNER, OWNER)
    write_certificate(folder)
    (folder / "etc" / "master.cf").write_text(f"127.0.0.1:{postfix.port} inet n - n - - smtpd\n{_SERVICES}")
    (folder / "etc" / "main.cf").write_text(_main(folder))


def _main(folder: Path) -> str:
    boxes = ", ".join(f"{address}={address}/" for address in MAILBOXES)
    return f"""\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.village.example
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_transport = error:nothing leaves this server
relay_transport = error:nothing leaves this server
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
recipient_delimiter = +
virtual_mailbox_domains = village.example county.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{OWNER}
virtual_gid_maps = static:{OWNER}
smtpd_tls_cert_file = {folder}/server.crt
smtpd_tls_key_file = {folder}/server.key
smtpd_tls_security_level = encrypt
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ refused@village.example=REJECT }}, permit_mynetworks, reject
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
"""


def _wait_until_ready(postfix: Postfix) -> None:
    give_up_at = monotonic() + _START_S
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", postfix.port), timeout=1) as probe:
            probe.settimeout(_START_S)
            assert probe.recv(3) == b"220", postfix.log()
            return
        assert monotonic() < give_up_at, postfix.log()
