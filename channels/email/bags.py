"""Where bounces lie: a mailbox read by IMAP, or a maildir that a local mail server delivers into.

Synchronous, because the library for IMAP is; all of it runs in a thread of the collector's own, each wait bounded by the socket's time-out.
A mail goes only after its receipts are committed; what people may want to read is flagged and stays.
"""

import imaplib
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from channels.email.options import TCP_CONNECT_MAX_S, ImapOptions

MAIL_MAX_BYTES = 131_072  # Read of each mail: what a report says stands at its head.
LOOK_MAX = 200  # Mails of one look.
_LOOK_MAX_BYTES = 64 * 1024 * 1024  # Of all that a server says in one look: twice what its mails can have.
_LINE_COSTS = 200  # Bytes of memory that the library takes for a line beside its letters.
_UID = re.compile(rb"UID (\d+)")

Fate = Literal["remove", "keep"]


class BagError(Exception):
    """The bag cannot be read; its text says where, why, and what to do."""


class Bag(Protocol):
    """One place in which mails lie, for one look, which ends with `close`.

    `abort` may be called from another thread, and makes whatever is under way fail soon.
    """

    def open(self) -> list[str]:
        """Return the names of at most `LOOK_MAX` mails that were neither removed nor kept."""
        ...

    def fetch(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the mails, cut to `MAIL_MAX_BYTES`; one that is gone is left out."""
        ...

    def settle(self, fates: Mapping[str, Fate]) -> None:
        """Remove mails, or flag them so that they are not found again."""
        ...

    def close(self) -> None:
        """Leave; never raises."""
        ...

    def abort(self) -> None:
        """Break off."""
        ...


class _Measured(imaplib.IMAP4):
    """The library's client, which would read a literal of any length, and lines without an end."""

    _left = _LOOK_MAX_BYTES

    def read(self, size: int) -> bytes:
        """Read a literal.

        Raises:
            imaplib.IMAP4.abort: It is too long.
        """
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line.

        Raises:
            imaplib.IMAP4.abort: There were too many.
        """
        line = super().readline()
        self._spend(len(line) + _LINE_COSTS)
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort("it says more than all its mails can have")


class _MeasuredTls(_Measured, imaplib.IMAP4_SSL):
    pass


class ImapBag:
    """A mailbox (RFC 3501). A mail that is kept is flagged and seen; without UIDPLUS, removing takes all that are marked deleted."""

    def __init__(self, options: ImapOptions) -> None:
        self._options = options
        self._client: imaplib.IMAP4 | None = None

    def open(self) -> list[str]:
        """See `Bag`.

        Raises:
            BagError: No connection, no TLS, no login, or no such folder.
        """
        try:
            client = self._connect()
            self._login(client)
            answer, _ = client.select('"{}"'.format(self._options.folder.replace("\\", "").replace('"', "")))
            if answer != "OK":
                raise BagError(f"{self._options.where} has no folder {self._options.folder}; correct email.imap.folder")
            return self._search(client)
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            raise BagError(self._explain(error)) from error

    def fetch(self, names: Sequence[str]) -> dict[str, bytes]:
        """See `Bag`."""
        parts = self._ask("FETCH", ",".join(names), f"(BODY.PEEK[]<0.{MAIL_MAX_BYTES}>)")
        found: dict[str, bytes] = {}
        for index, part in enumerate(parts):
            if isinstance(part, tuple):
                after = (
                    parts[index + 1] if index + 1 < len(parts) else b""
                )  # Some servers tell the UID behind the mail.
                uid = _UID.search(part[0]) or (_UID.search(after) if isinstance(after, bytes) else None)
                if uid:
                    found[uid[1].decode("ascii")] = part[1]
        return found

    def settle(self, fates: Mapping[str, Fate]) -> None:
        """See `Bag`."""
        kept = [name for name, fate in fates.items() if fate == "keep"]
        gone = [name for name, fate in fates.items() if fate == "remove"]
        if kept:
            self._ask("STORE", ",".join(kept), "+FLAGS.SILENT", "(\\Flagged \\Seen)")
        if gone:
            self._ask("STORE", ",".join(gone), "+FLAGS.SILENT", "(\\Deleted)")
            client = self._connected()
            try:
                _, told = client.capability()  # Asked again: after the login some servers can do more.
                if told and told[0] and b"UIDPLUS" in told[0].upper():
                    self._ask("EXPUNGE", ",".join(gone))
                else:
                    client.expunge()
            except (OSError, imaplib.IMAP4.error) as error:
                raise BagError(self._explain(error)) from error

    def close(self) -> None:
        """See `Bag`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(
                Exception
            ):  # The library breaks in many ways on what a broken server answers; the socket must go.
                client.logout()
            with suppress(OSError):
                client.shutdown()  # What `logout` does only if all went well.

    def abort(self) -> None:
        """See `Bag`."""
        if self._client is not None:
            with suppress(OSError):
                self._client.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> imaplib.IMAP4:
        options = self._options
        patience_s = min(TCP_CONNECT_MAX_S, options.timeout_s)
        client: imaplib.IMAP4
        if options.tls is not None and options.implicit:
            client = _MeasuredTls(options.host, options.port, ssl_context=options.tls, timeout=patience_s)
        else:
            client = _Measured(options.host, options.port, timeout=patience_s)
        self._client = client
        client.sock.settimeout(options.timeout_s)
        if options.tls is not None and not options.implicit:
            client.starttls(options.tls)
        return client

    def _login(self, client: imaplib.IMAP4) -> None:
        options = self._options
        if "AUTH=PLAIN" in client.capabilities:  # LOGIN knows no letters beyond ASCII.
            client.authenticate("PLAIN", lambda _asked: f"\0{options.username}\0{options.password}".encode())
        else:
            client.login(options.username, options.password)

    def _search(self, client: imaplib.IMAP4) -> list[str]:
        _, found = client.uid("SEARCH", "UNFLAGGED", "UNDELETED")
        names = found[0].split() if found and found[0] else []
        return [name.decode("ascii") for name in names[:LOOK_MAX]]

    def _ask(self, verb: str, *words: str) -> list[bytes | tuple[bytes, bytes]]:
        try:
            answer, parts = self._connected().uid(verb, *words)
        except (OSError, imaplib.IMAP4.error) as error:
            raise BagError(self._explain(error)) from error
        if answer != "OK":
            raise BagError(f"{self._options.where} refused {verb}: {parts!r}"[:200])
        return parts

    def _connected(self) -> imaplib.IMAP4:
        if self._client is None:
            raise BagError(f"the look at {self._options.where} was broken off")
        return self._client

    def _explain(self, error: Exception) -> str:
        where, said = self._options.where, " ".join(str(error).split())[:160]
        match error:
            case TimeoutError():
                return (
                    f"the mailbox at {where} does not answer; check email.imap.host, email.imap.port and the firewall"
                )
            case ConnectionRefusedError():
                return f"nothing listens at {where}; check email.imap.host and email.imap.port"
            case OSError():
                return (
                    f"the mailbox at {where} cannot be reached ({said}); check email.imap.tls, ca_file and the network"
                )
        return f"the mailbox at {where} refuses ({said}); check username and password_file in [email.imap]"


class MaildirBag:
    """A maildir. A mail that is kept moves to `cur/`, flagged and seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> list[str]:
        """See `Bag`.

        Raises:
            BagError: The folder cannot be read.
        """
        try:
            names = sorted(path.name for path in (self._folder / "new").iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            if self._folder.is_dir():
                return []  # Nothing was ever delivered.
            raise BagError(f"there is no folder {self._folder}; create it, or correct email.bounce_maildir") from None
        except OSError as error:
            raise BagError(
                f"{self._folder} cannot be read ({error.strerror}); give it to the user warnd runs as"
            ) from error
        return names[:LOOK_MAX]

    def fetch(self, names: Sequence[str]) -> dict[str, bytes]:
        """See `Bag`."""
        found: dict[str, bytes] = {}
        for name in names:
            try:
                with (self._folder / "new" / name).open("rb") as file:
                    found[name] = file.read(MAIL_MAX_BYTES)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise BagError(
                    f"{self._folder}/new/{name} cannot be read ({error.strerror}); see to its rights"
                ) from error
        return found

    def settle(self, fates: Mapping[str, Fate]) -> None:
        """See `Bag`."""
        try:
            for name, fate in fates.items():
                path = self._folder / "new" / name
                if fate == "remove":
                    path.unlink(missing_ok=True)
                else:
                    (self._folder / "cur").mkdir(exist_ok=True)
                    path.rename(self._folder / "cur" / f"{name.partition(':')[0]}:2,FS")
        except OSError as error:
            raise BagError(f"mails in {self._folder} cannot be moved ({error.strerror}); see to its rights") from error

    def close(self) -> None:
        """See `Bag`."""

    def abort(self) -> None:
        """See `Bag`."""


def bag(imap: ImapOptions | None, maildir: Path | None) -> Bag | None:
    """Return a fresh bag for one look, or None where no bounces are read."""
    if imap is not None:
        return ImapBag(imap)
    return MaildirBag(maildir) if maildir is not None else None
