"""A mail server of another make (aiosmtpd) on loopback, which keeps what it takes and can be told to fail in every way that servers do.

async with running_server(folder) as server:
    ... server.port, server.taken, server.fault
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from pathlib import Path
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.break_off import break_off
from tests.fakes.certificate import write_certificate

USER, PASSWORD = "warnd", "pässword of warnd"  # Not ASCII: some servers and libraries stumble over that.
At = Literal["MAIL", "RCPT", "DATA", "END"]
Fault = Callable[[SMTP, str], Awaitable[str | None]]
"""What happens at a step: an answer in place of the usual one, or None; it may hang, or cut the line."""


@dataclass
class Taken:
    """One mail that was taken, with its envelope."""

    sender: str
    recipient: str
    raw: bytes
    options: tuple[str, ...] = ()

    @property
    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=MAIL_POLICY)


@dataclass
class Server:
    """See the module. `faults` tells what happens at each step; without one, all is well."""

    folder: Path
    tls: bool = True
    implicit: bool = False
    login: bool = True
    international: bool = True
    taken: list[Taken] = field(default_factory=list)
    faults: dict[At, Fault] = field(default_factory=dict)
    connections: int = 0
    port: int = 0
    _listening: asyncio.Server | None = None
    _open: set[SMTP] = field(default_factory=set)

    async def start(self) -> None:
        """Listen; after the first time on the same port."""
        loop = asyncio.get_running_loop()
        context = self._context() if self.implicit else None
        self._listening = await loop.create_server(self._connected, "127.0.0.1", self.port, ssl=context)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone, connections and all."""
        if self._listening is not None:
            self._listening.close()
        self.cut()
        for _ in range(5):  # Turns in which the loop closes the sockets.
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Break all connections off."""
        for one in list(self._open):
            abort(one)
        self._open.clear()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        return context

    def _connected(self) -> SMTP:
        self.connections += 1
        start_tls = self.tls and not self.implicit
        one = _Faulty(
            _Handler(self),
            hostname="mx.test",
            require_starttls=start_tls,
            tls_context=self._context() if start_tls else None,
            authenticator=_authenticate if self.login else None,
            auth_required=self.login and start_tls,  # aiosmtpd warns of a demand for logins without STARTTLS.
            auth_exclude_mechanism=() if self.login else ("LOGIN", "PLAIN"),
            auth_require_tls=start_tls,
            enable_SMTPUTF8=self.international,
            timeout=60,
        )
        self._open.add(one)
        return one


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and given == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)


class _Faulty(SMTP):
    """Lets a fault come before the text, where aiosmtpd has no hook; knows its socket even where TLS failed."""

    socket: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = self.socket or transport  # After STARTTLS it is called again, with TLS's transport.
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        answer = await cast("_Handler", self.event_handler).fault("DATA", self, arg)
        if answer is None:
            await super().smtp_DATA(arg)
        elif self.transport is not None and not self.transport.is_closing():
            await self.push(answer)


class _Handler:
    """The hooks that aiosmtpd calls; their names are its own."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def fault(self, at: At, smtp: SMTP, about: str) -> str | None:
        fault = self._server.faults.get(at)
        return await fault(smtp, about) if fault is not None else None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, smtp: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self.fault("MAIL", smtp, address)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await self.fault("RCPT", smtp, address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 Ok"

    async def handle_DATA(self, smtp: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        recipient = envelope.rcpt_tos[0]
        answer = await self.fault("END", smtp, recipient)
        if answer is None or answer.startswith("2"):
            content = envelope.original_content or b""
            options = tuple(envelope.mail_options)
            self._server.taken.append(Taken(envelope.mail_from or "", recipient, content, options))
        return answer or "250 2.0.0 Ok: queued"


def abort(one: SMTP) -> None:
    """Break one connection off."""
    assert isinstance(one, _Faulty)
    for transport in (one.transport, one.socket):
        if isinstance(transport, asyncio.WriteTransport):
            break_off(transport)


def always(answer: str) -> Fault:
    """Return a fault that answers this."""

    async def fault(_smtp: SMTP, _about: str) -> str | None:
        return answer

    return fault


def hanging() -> Fault:
    """Return a fault that answers nothing until the connection ends."""

    async def fault(_smtp: SMTP, _about: str) -> str | None:
        await asyncio.get_running_loop().create_future()
        return None

    return fault


def cutting() -> Fault:
    """Return a fault that breaks the connection off."""

    async def fault(smtp: SMTP, _about: str) -> str | None:
        abort(smtp)
        return "250 nobody hears this"

    return fault


@asynccontextmanager
async def running_server(
    folder: Path, *, tls: bool = True, implicit: bool = False, login: bool = True, international: bool = True
) -> AsyncIterator[Server]:
    """Run a server; `folder / "ca.crt"` proves it."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # It logs each broken line as a failure of its own.
    if not (folder / "server.crt").exists():
        write_certificate(folder)
    server = Server(folder, tls=tls, implicit=implicit, login=login, international=international)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
