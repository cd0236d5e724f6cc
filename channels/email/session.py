"""One connection to the mail server: opened, encrypted, logged in, and one mail after another over it.

Knows at which step of a mail it is, because that decides what an error means: before the last dot nothing has left, after it
only the server knows (RFC 5321 §4.1.1.4). Never speaks in the clear where TLS is demanded, never logs in without TLS unless the
settings say so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiosmtplib

from channels.break_off import break_off
from channels.email import codes
from channels.email.codes import Step
from channels.email.options import ServerOptions
from channels.email.trouble import NoLoginError, NoTlsError, ServerTroubleError, explain
from warnd.channel import Accepted, Failed, Outcome, Unknown

_GOOD = range(200, 300)
_GO_ON = 354
_CLOSING = 421  # RFC 5321 §3.8: it closes the connection.
_QUIT_S = 2.0
_CONNECT_STEPS = (
    6  # Connect, greeting, EHLO, STARTTLS, EHLO, login: none may hang, and not all of them together either.
)
_BROKEN = (
    aiosmtplib.SMTPException,
    OSError,
    ValueError,
)  # ValueError: a control character, which aiosmtplib refuses to write.


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands round one mail.

    Attributes:
        token: For ENVID (RFC 3461 §4.4); None = no notification is asked for.
        orcpt: The recipient as ORCPT has it, or None.
        international: The recipient needs SMTPUTF8.
    """

    sender: str
    recipient: str
    token: str | None = None
    orcpt: str | None = None
    international: bool = False


class Session:
    """A connection that is up; see `connected`."""

    def __init__(self, client: aiosmtplib.SMTP, options: ServerOptions) -> None:
        self._client = client
        self._timeout_s = options.timeout_s
        self.international = client.supports_extension("smtputf8")
        self._size = client.supports_extension("size")
        self._notifies = client.supports_extension("dsn")

    @property
    def alive(self) -> bool:
        """Whether a mail can be begun on it."""
        return self._client.is_connected

    @property
    def told(self) -> str:
        """What the server offers, for a person."""
        encrypted = self._client.get_transport_info("ssl_object") if self.alive else None
        secure = encrypted.version() if encrypted is not None else "no TLS"
        return ", ".join([secure, *(["delivery notifications"] if self._notifies else [])])

    async def keep(self) -> None:
        """See that the server is still there: whatever it answers, it is.

        Raises:
            ServerTroubleError: It is not.
        """
        try:
            answer = await self._client.execute_command(b"NOOP")
            if answer.code == _CLOSING:
                raise aiosmtplib.SMTPResponseException(answer.code, answer.message)
        except _BROKEN as error:
            self._client.close()
            raise ServerTroubleError(f"the connection was lost ({error})") from error

    async def mail(self, envelope: Envelope, letter: bytes) -> Outcome:
        """Send one mail; a session that cannot carry another afterwards is no longer `alive`.

        A cancelled send closes the connection, so that what the server has of it is dropped.
        """
        step: Step = "sender"
        try:
            refused = await self._command(b"MAIL", self._from(envelope, len(letter)), step="sender")
            if refused is None:
                step = "recipient"
                refused = await self._command(b"RCPT", self._to(envelope), step="recipient")
            if refused is None:
                step = "mail"
                refused = await self._command(b"DATA", step="mail", good=range(_GO_ON, _GO_ON + 1))
            if refused is not None:
                await self._reset()
                return refused
            step = "end"
            return await self._text(letter)
        except _BROKEN as error:
            self._client.close()
            return _broken(error, step)
        except (
            BaseException
        ):  # Cancelled, above all: a session that was left in the middle of a mail can carry no other.
            self._client.close()
            raise

    async def _command(self, verb: bytes, *words: bytes, step: Step, good: range = _GOOD) -> Failed | Unknown | None:
        answer = await self._client.execute_command(verb, *words)
        return None if answer.code in good else codes.outcome(answer.code, answer.message, step=step)

    async def _text(self, letter: bytes) -> Outcome:
        """Write the text and hear what became of it. Not `client.data`: the letter is ready, and its 354 is another step than its end."""
        protocol = self._client.protocol
        if protocol is None:
            return Failed("the connection was lost")
        protocol.write(letter)
        answer = await protocol.read_response(timeout=self._timeout_s)
        if answer.code in _GOOD:
            return Accepted()
        if answer.code == _CLOSING:
            self._client.close()
        return codes.outcome(answer.code, answer.message, step="end")

    async def _reset(self) -> None:
        """Make room for the next mail; whatever goes wrong here is the next one's trouble, not this one's."""
        if not self.alive:
            return
        try:
            await self._client.rset()
        except _BROKEN:
            self._client.close()

    def _from(self, envelope: Envelope, size: int) -> bytes:
        words = [f"FROM:<{envelope.sender}>"]
        words += [f"SIZE={size}"] if self._size else []
        words += ["SMTPUTF8", "BODY=8BITMIME"] if envelope.international else []
        words += ["RET=HDRS", f"ENVID={envelope.token}"] if self._notifies and envelope.token else []
        return " ".join(words).encode()

    def _to(self, envelope: Envelope) -> bytes:
        words = [f"TO:<{envelope.recipient}>"]
        if self._notifies and envelope.token:
            words.append("NOTIFY=SUCCESS,FAILURE,DELAY")
            words += [f"ORCPT={envelope.orcpt}"] if envelope.orcpt else []
        return " ".join(words).encode()


@asynccontextmanager
async def connected(options: ServerOptions) -> AsyncIterator[Session]:
    """Connect, encrypt and log in; say goodbye at exit, shortly.

    Raises:
        ServerTroubleError: It could not be done; says why and what to do.
    """
    client = aiosmtplib.SMTP(
        hostname=options.host,
        port=options.port,
        use_tls=options.tls is not None and options.implicit,
        start_tls=False,  # Done below, where no TLS means no session.
        tls_context=options.tls,
        local_hostname=options.hello,
        timeout=options.timeout_s,
    )
    transport: asyncio.BaseTransport | None = None
    try:
        try:
            async with asyncio.timeout(_CONNECT_STEPS * options.timeout_s):
                await _enter(client, options)
        except (*_BROKEN, NoTlsError, NoLoginError, TimeoutError) as error:
            raise ServerTroubleError(explain(error, options)) from error
        transport = client.transport
        yield Session(client, options)
        await _leave(client)
    finally:
        transport = client.transport or transport
        client.close()
        if isinstance(transport, asyncio.WriteTransport):
            break_off(transport)  # `close` would wait for the other side to end TLS, too.


async def _enter(client: aiosmtplib.SMTP, options: ServerOptions) -> None:
    await client.connect()
    if options.tls is not None and not options.implicit:
        await client.ehlo()
        if not client.supports_extension("starttls"):
            raise NoTlsError
        await client.starttls()
    await _greet(client)
    if options.username is None:
        return
    if not client.supports_extension("auth") or not client.supported_auth_methods:
        raise NoLoginError
    await client.login(options.username, options.password or "")


async def _greet(client: aiosmtplib.SMTP) -> None:
    """Say EHLO, and HELO where that is all the server knows (RFC 5321 §3.2)."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


async def _leave(client: aiosmtplib.SMTP) -> None:
    if client.is_connected:
        try:
            await client.quit(timeout=_QUIT_S)
        except _BROKEN:
            return  # It is being left either way.


def _broken(error: Exception, step: Step) -> Outcome:
    said = " ".join(str(error).split()) or type(error).__name__
    if step == "end":
        return Unknown(f"no answer after the last dot: {said}")
    return Failed(f"before the text was sent: {said}")
