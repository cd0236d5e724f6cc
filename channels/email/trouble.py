"""Says what keeps a mail server from being used, and what to do about it."""

import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiosmtplib

from channels.email.codes import reason
from channels.email.options import ServerOptions


class NoTlsError(Exception):
    """The server offers no TLS where it is demanded."""


class NoLoginError(Exception):
    """The server takes no login, or offers no way to log in that we know."""


class ServerTroubleError(Exception):
    """The server cannot be used; its text is a sentence with what to do."""


def explain(error: BaseException, options: ServerOptions) -> str:
    """Return a failure to connect, to encrypt or to log in as one sentence."""
    root = _root(error)
    for kinds, said in _KNOWN:
        if isinstance(root, kinds):
            return f"{options.where} {said(root, options)}"
    return f"{options.where} broke off ({_shown(root)}); see the server's own log"


Said = Callable[[Any, ServerOptions], str]
_KNOWN: tuple[tuple[type[BaseException], Said], ...] = (  # The first that fits; TLS's errors are OSErrors, too.
    (
        NoTlsError,
        lambda _error, _options: (
            "offers no STARTTLS, so nothing is sent; for a server with TLS from the first byte write its port (465); "
            "start_tls = false is for a server on this machine alone"
        ),
    ),
    (
        NoLoginError,
        lambda _error, _options: "takes no login; take username out, or name the server's submission port (587 or 465)",
    ),
    (
        ssl.SSLCertVerificationError,
        lambda error, _options: (
            f"has a certificate that is not believed ({error.verify_message or error}); name its authority in email.ca_file, "
            "or write into email.host the name that it is for"
        ),
    ),
    (
        ssl.SSLError,
        lambda error, _options: (
            f"speaks no TLS here ({error.reason or error}); look whether its port wants STARTTLS or TLS from the first byte"
        ),
    ),
    (
        aiosmtplib.SMTPAuthenticationError,
        lambda error, _options: (
            f"refuses the login ({reason(error.code, error.message)}); check username and password_file"
        ),
    ),
    (
        aiosmtplib.SMTPResponseException,
        lambda error, _options: f"answered {reason(error.code, error.message)}; ask those who run it",
    ),
    (
        socket.gaierror,
        lambda _error, _options: "has a name that is not known here; check email.host and the name service",
    ),
    (
        ConnectionRefusedError,
        lambda _error, _options: "does not listen; check email.host and email.port, and that the server runs",
    ),
    (
        TimeoutError,
        lambda _error, options: f"did not answer within {options.timeout_s:g} s; check host, port and firewall",
    ),
)


def _shown(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _root(error: BaseException) -> BaseException:
    """Return the cause that says most: what the system or TLS said, under what the library made of it."""
    while isinstance(error.__cause__, OSError):
        error = error.__cause__
    return error
