"""What the channel must be told about its mail server and its mailbox, and nothing that a message or a plan decides."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

TCP_CONNECT_MAX_S = (
    5.0  # A thread that looks for mail waits here and cannot be cancelled; the daemon must end within 10 s.
)
KEEPALIVE_S = 60.0  # Servers end idle sessions after five minutes (RFC 5321 §4.5.3.2.7).


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """One account at one submission server.

    Attributes:
        tls: None = plain TCP, which the settings allow only where it is asked for.
        implicit: TLS from the first byte; else STARTTLS, which is demanded wherever `tls` is set.
        hello: The name that EHLO gives.
        timeout_s: Longest wait for each answer.
        connections: How many are kept.
        retry_base_s, retry_cap_s: Bounds of the wait between connections, doubled from base to cap, with full jitter.
    """

    host: str
    port: int
    hello: str
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    implicit: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 20.0
    connections: int = 10
    retry_base_s: float = 0.5
    retry_cap_s: float = 30.0

    @property
    def where(self) -> str:
        """The server's address, for messages to people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ImapOptions:
    """One mailbox. `tls` None = plain TCP; `implicit` as in `ServerOptions`."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    implicit: bool = True
    folder: str = "INBOX"
    poll_s: float = 60.0
    timeout_s: float = 20.0

    @property
    def where(self) -> str:
        """The server's address, for messages to people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """The whole channel.

    Attributes:
        sender: The address in From; ASCII.
        sender_name: The name beside it.
        bounce_address: Where bounces go, without the "+token" that each mail adds; None = the sender's address, and no token.
        bounce_secret: Makes the tokens; None = no bounce can be told from a forged one, so none is read.
        imap, maildir: Where bounces are read, at most one of them.
    """

    server: ServerOptions
    sender: str
    sender_name: str
    bounce_address: str | None = None
    bounce_secret: bytes | None = field(default=None, repr=False)
    imap: ImapOptions | None = None
    maildir: Path | None = None

    @property
    def domain(self) -> str:
        """The sender's domain."""
        return self.sender.rpartition("@")[2]

    @property
    def reads_bounces(self) -> bool:
        """Whether anybody reads what comes back."""
        return self.imap is not None or self.maildir is not None
