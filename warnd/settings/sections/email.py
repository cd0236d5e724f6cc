"""`[email]`: mail by one submission server, and where its bounces come back."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, ExistingFolder, Name, Port, Rate, SecretText, Table
from warnd.settings.sections.authority_file import AuthorityFile

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")  # RFC 5321 §4.1.2.
_IMPLICIT_TLS_PORT = 465  # RFC 8314 §3.3.
_SECRET_LEAST = 16  # Characters; a guessed one would let strangers report warnings as delivered.


def _mail_address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise UnfitError(f'Found "{value}"; it should be a mail address.', 'Write one like "warn@county.example".')
    return value


def _sender(value: str) -> str:
    _mail_address(_split(value)[1])
    return value


def _split(sender: str) -> tuple[str, str]:
    """Return name and address of "Name <address>"; a bare address has no name."""
    name, angle, address = sender.rpartition("<")
    return (name.strip().strip('"'), address.removesuffix(">")) if angle and sender.endswith(">") else ("", sender)


def _plain_address(value: str) -> str:
    if "+" in value:
        raise UnfitError(f'"{value}" has a "+", which warnd puts there itself.', "Write the address without it.")
    return value


def _long_secret(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < _SECRET_LEAST:
        raise UnfitError(f"The secret has fewer than {_SECRET_LEAST} characters.", "Make one: openssl rand -hex 32")
    return value


MailAddress = Annotated[Name, AfterValidator(_mail_address)]


def loopback(host: str) -> bool:
    """Say whether a host name stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Imap(Table):
    """The mailbox in which bounces and answers arrive."""

    host: Name = Field(description="the IMAP server's host name or address")
    tls: Literal["implicit", "start", "none"] = Field(
        default="implicit", description='"implicit", "start", or "none" for a server on this machine'
    )
    port: Port = Field(
        default_factory=lambda known: 993 if known.get("tls") == "implicit" else 143,
        description="the IMAP server's port, 1 to 65535",
    )
    ca_file: AuthorityFile | None = Field(
        default=None, description="a PEM file with the IMAP server's authority; without it, the system's"
    )
    username: Name = Field(description="the user name of the mailbox")
    password: Annotated[SecretStr, SecretText] = Field(
        alias="password_file", description="a file whose one line is the mailbox's password"
    )
    folder: Name = Field(default="INBOX", description="the folder in which bounces arrive")
    poll_s: Rate = Field(default=60, ge=0.2, le=3600, description="seconds between two looks, 0.2 to 3600")

    @model_validator(mode="after")
    def _secret_stays_secret(self) -> Self:
        if self.tls == "none" and not loopback(self.host):
            raise UnfitError(
                f"The mailbox's password would cross the network to {self.host} in the clear.",
                'Write tls = "implicit" or "start"; "none" is for a server on this machine.',
            )
        if self.tls == "none" and self.ca_file:
            raise UnfitError("ca_file without tls checks nothing.", "Take ca_file out.")
        return self


class Email(Table):
    """Mail."""

    host: Name = Field(description="the mail server's host name or address")
    port: Port = Field(default=587, description="the mail server's port, 1 to 65535")
    start_tls: bool = Field(default=True, description="true, or false for a server on this machine alone")
    implicit_tls: bool = Field(
        default_factory=lambda known: known.get("port") == _IMPLICIT_TLS_PORT,
        description="true where the server speaks TLS from the first byte, else false",
    )
    ca_file: AuthorityFile | None = Field(
        default=None, description="a PEM file with the mail server's authority; without it, the system's"
    )
    username: Name | None = Field(default=None, description="the user name for the mail server")
    password: Annotated[SecretStr | None, SecretText] = Field(
        default=None, alias="password_file", description="a file whose one line is the password"
    )
    sender: Annotated[Name, AfterValidator(_sender)] = Field(description="the address that mail comes from")
    sender_name: Name | None = Field(default=None, description="the name beside the sender's address")
    connections: Annotated[Count, Field(le=100)] = Field(
        default=10, description="how many connections are kept to the mail server, 1 to 100"
    )
    timeout_s: Rate = Field(default=20, le=300, description="seconds in which the mail server must answer, up to 300")
    bounce_address: Annotated[MailAddress, AfterValidator(_plain_address)] | None = Field(
        default=None,
        description='the address that bounces go to; the server delivers what stands after a "+" there, too',
    )
    bounce_secret: Annotated[SecretStr | None, SecretText, AfterValidator(_long_secret)] = Field(
        default=None, alias="bounce_secret_file", description="a file whose one line is a long random secret"
    )
    bounce_maildir: ExistingFolder | None = Field(
        default=None, description="the maildir into which the local mail server delivers bounces"
    )
    imap: Imap | None = Field(default=None, description="a table [email.imap] with host, username and password_file")
    rate_per_s: Rate = Field(default=500, description="mails per second, above 0")
    concurrency: Count = Field(default=100, description="how many mails may be under way at once, 1 to 10000")

    @property
    def sender_address(self) -> str:
        """The address in `sender`, which may have a name before it: "Name <address>"."""
        return _split(self.sender)[1]

    @property
    def shown_name(self) -> str | None:
        """The name beside the sender's address, or None."""
        return self.sender_name or _split(self.sender)[0] or None

    @property
    def encrypted(self) -> bool:
        """Whether TLS is demanded of the server, in one way or the other."""
        return self.start_tls or self.implicit_tls

    @model_validator(mode="after")
    def _secrets_stay_secret(self) -> Self:
        if self.ca_file and not self.encrypted:
            raise UnfitError("ca_file without TLS checks nothing.", "Write start_tls = true, or take ca_file out.")
        if self.password and not self.username:
            raise UnfitError("password_file without username is never sent.", "Write username beside it.")
        if self.username and not self.encrypted and not loopback(self.host):
            raise UnfitError(
                f"User name and password would cross the network to {self.host} in the clear.",
                "Write start_tls = true; false is for a server on this machine.",
            )
        return self

    @model_validator(mode="after")
    def _bounces_are_known(self) -> Self:
        if (self.imap or self.bounce_maildir or self.bounce_address) and not self.bounce_secret:
            raise UnfitError(
                "Without a secret a forged bounce could not be told from a true one.",
                "Write bounce_secret_file; make the file with: openssl rand -hex 32",
            )
        if self.imap and self.bounce_maildir:
            raise UnfitError("Bounces are read from one place.", "Take [email.imap] or bounce_maildir out.")
        return self
