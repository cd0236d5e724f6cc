"""Mail: one mail for each try by a submission server, and bounces and answers read from a mailbox (DESIGN §8)."""

import ssl
from pathlib import Path

from channels.email.channel import Email
from channels.email.options import EmailOptions, ImapOptions, ServerOptions
from warnd.channel import Context
from warnd.settings import Email as Section
from warnd.settings import Imap, Settings

__all__ = ["Email", "EmailOptions", "ImapOptions", "ServerOptions", "build"]


def build(settings: Settings, context: Context) -> Email | None:
    """Return the channel, or None if `[email]` is missing.

    Raises:
        OSError: An authority's certificates cannot be read.
    """
    section = settings.email
    if section is None:
        return None
    secret = section.bounce_secret
    options = EmailOptions(
        server=_server(section),
        sender=section.sender_address,
        sender_name=section.shown_name or settings.node.name,
        bounce_address=section.bounce_address,
        bounce_secret=None if secret is None else secret.get_secret_value().encode(),
        imap=None if section.imap is None else _imap(section.imap, timeout_s=section.timeout_s),
        maildir=section.bounce_maildir,
    )
    return Email(options, context)


def _server(section: Section) -> ServerOptions:
    return ServerOptions(
        host=section.host,
        port=section.port,
        hello=section.sender_address.rpartition("@")[2],
        tls=_context(section.ca_file) if section.encrypted else None,
        implicit=section.implicit_tls,
        username=section.username,
        password=None if section.password is None else section.password.get_secret_value(),
        timeout_s=section.timeout_s,
        connections=section.connections,
    )


def _imap(section: Imap, *, timeout_s: float) -> ImapOptions:
    return ImapOptions(
        host=section.host,
        port=section.port,
        username=section.username,
        password=section.password.get_secret_value(),
        tls=None if section.tls == "none" else _context(section.ca_file),
        implicit=section.tls == "implicit",
        folder=section.folder,
        poll_s=section.poll_s,
        timeout_s=timeout_s,
    )


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
