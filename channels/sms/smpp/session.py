"""One bound connection to the message centre, from bind to unbind. Owns sequence numbers, the window and who waits for which answer.

Nothing is repeated here, and nothing outlives the connection: what was written and not answered when it ends is lost, that is, unknown.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import smpp34
import structlog

from channels.break_off import break_off
from channels.reach import why
from channels.sms.smpp.pdus import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RESPONSE,
    SEQUENCE_MAX,
    SUBMIT_SM,
    UNBIND,
    Frame,
    GarbageError,
    bare,
    bind,
    deliver_sm,
    delivered,
    read_frame,
)
from channels.sms.smpp.statuses import (
    INVALID_COMMAND,
    INVALID_MESSAGE_LENGTH,
    OK,
    RECEIVER_BUSY,
    bind_refusal,
)
from warnd.clock import Clock
from warnd.settings.sections.sms_smpp import SmsSmpp

_DELIVERIES_MAX = 500  # Under way to the ledger at once; more are told to come again.
_LATE_MAX = 10_000  # Parts whose answer may still come after it was given up.
_UNBIND_S = 1.0
_BUFFER_MAX = 256 * 1024  # What a message centre that stopped reading may leave unread before it counts as gone.

_log = structlog.get_logger(__name__)

Deliver = Callable[[smpp34.DeliverSm], Awaitable[bool]]
"""Commits what was delivered; returns whether it is committed."""


class BindError(Exception):
    """The message centre cannot be used; the message says why and, where we know it, what to do.

    Attributes:
        status: Its command_status, or None where it gave none.
    """

    def __init__(self, cause: str, status: int | None = None) -> None:
        super().__init__(cause)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answered:
    """The message centre's word about one part."""

    status: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The part never left."""

    cause: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The part left, and nothing came back."""

    cause: str


Fate = Answered | Unwritten | Lost
Late = Callable[[str], None]
"""Called with the message id of a part whose answer came when nobody waited for it any more."""


class Session:
    """See the module. `door` lets the parts of one text be written one after the other, without another text's between them."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, section: SmsSmpp, clock: Clock
    ) -> None:
        self.door = asyncio.Lock()
        self._reader = reader
        self._writer = writer
        self._section = section
        self._clock = clock
        self._window = asyncio.Semaphore(section.window)
        self._sequence = 0
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._open: dict[int, asyncio.Future[Fate]] = {}
        self._late: dict[int, Late] = {}
        self._heard_at = self._clock.monotonic()
        self._deliveries = 0

    @property
    def cause(self) -> str | None:
        """Why it has ended, or None while it stands."""
        return self._over.result() if self._over.done() else None

    async def bind(self, command: int = BIND_TRANSCEIVER) -> None:
        """Bind.

        Raises:
            BindError: It was refused, or not answered in time.
        """
        sequence = self._next()
        self._writer.write(bind(command, sequence, self._section))
        try:
            async with asyncio.timeout(self._section.timeout_s):
                frame = await read_frame(self._reader)
        except TimeoutError as error:
            raise BindError(f"no answer to the bind within {self._section.timeout_s:g} s") from error
        except (OSError, EOFError) as error:
            raise BindError("it closed the connection instead of answering the bind") from error
        except GarbageError as error:
            raise BindError(f"what answers there is no message centre; check host, port and tls: {error}") from error
        if frame.command not in {command | RESPONSE, GENERIC_NACK} or frame.sequence not in {sequence, 0}:
            raise BindError(
                "what answers there is no message centre; check host and port: it answers something else than the bind"
            )
        if frame.status != OK:
            raise BindError(bind_refusal(frame.status), frame.status)

    async def run(self, deliver: Deliver) -> str:
        """Read, keep alive, hand over what is delivered; return why it ended. Cancelled, it unbinds."""
        async with asyncio.TaskGroup() as tasks:
            workers = [
                tasks.create_task(self._read(deliver, tasks), name="smpp read"),
                tasks.create_task(self._keep_alive(), name="smpp enquire link"),
            ]
            try:
                return await asyncio.shield(self._over)
            finally:
                await self._leave()
                for worker in workers:
                    worker.cancel()

    async def slot(self) -> bool:
        """Wait for a place in the window; return whether the connection still stands. The place is given to the next `submit`."""
        await self._window.acquire()
        if self._over.done():
            self._window.release()
        return not self._over.done()

    def give_back(self) -> None:
        """Return a place that no `submit` will use."""
        self._window.release()

    def submit(self, compose: Callable[[int], bytes], *, late: Late) -> "asyncio.Future[Fate]":
        """Write one part, for which `slot` gave a place, at once; its answer, or that there will be none, comes as the result.

        Args:
            compose: Makes the frame with the sequence number it is given.
            late: See `Late`.
        """
        sequence = self._next()
        answer: asyncio.Future[Fate] = self._loop.create_future()
        answer.add_done_callback(lambda _: self._window.release())
        if self._over.done() or self._writer.transport.get_write_buffer_size() > _BUFFER_MAX:
            answer.set_result(Unwritten(self.cause or "the message centre does not read"))
            return answer
        self._open[sequence] = answer
        self._late[sequence] = late
        if len(self._late) > _LATE_MAX:
            del self._late[next(iter(self._late))]
        self._writer.write(compose(sequence))
        timer = self._loop.call_later(self._section.timeout_s, self._give_up, sequence)
        answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def end(self, cause: str) -> None:
        """End the connection: what is still buffered no more leaves, what was not answered is lost."""
        if self._over.done():
            return
        self._over.set_result(cause)
        break_off(self._writer.transport)
        waiting, self._open = self._open, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_result(Lost(cause))
        self._late.clear()

    async def unbind(self) -> None:
        """Say goodbye without waiting for an answer, and close; for a connection on which nothing runs."""
        self._writer.write(bare(UNBIND, self._next()))
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_UNBIND_S):
                await self._writer.drain()
        self.end("closed")

    async def _leave(self) -> None:
        """Unbind, if there is still somebody to hear it."""
        if self._over.done():
            return
        goodbye = self._ask(UNBIND)
        with suppress(TimeoutError):
            async with asyncio.timeout(_UNBIND_S):
                await goodbye
        self.end("closed")

    def _next(self) -> int:
        self._sequence = self._sequence % SEQUENCE_MAX + 1
        return self._sequence

    def _ask(self, command: int) -> "asyncio.Future[Fate]":
        sequence = self._next()
        answer: asyncio.Future[Fate] = self._loop.create_future()
        self._open[sequence] = answer
        self._writer.write(bare(command, sequence))
        return answer

    def _give_up(self, sequence: int) -> None:
        answer = self._open.pop(sequence, None)
        if answer is not None and not answer.done():
            answer.set_result(Lost(f"no answer within {self._section.timeout_s:g} s"))

    async def _keep_alive(self) -> None:
        """Ask after a silence whether anybody is there; no answer in time ends the connection."""
        while True:
            silent_s = self._clock.monotonic() - self._heard_at
            if silent_s < self._section.enquire_link_s:
                await self._clock.sleep(self._section.enquire_link_s - silent_s)
                continue
            try:
                async with asyncio.timeout(self._section.timeout_s):
                    await self._ask(ENQUIRE_LINK)
            except TimeoutError:
                self.end(f"no answer to enquire_link within {self._section.timeout_s:g} s")
                return
            self._heard_at = self._clock.monotonic()

    async def _read(self, deliver: Deliver, tasks: asyncio.TaskGroup) -> None:
        try:
            while not self._over.done():
                frame = await read_frame(self._reader)
                self._heard_at = self._clock.monotonic()
                self._take(frame, deliver, tasks)
        except (OSError, EOFError) as error:
            self.end(f"the connection broke ({type(error).__name__})")
        except GarbageError as error:
            _log.error("smpp_garbage", cause=str(error))
            self.end(f"it sent what is no SMPP: {error}")

    def _take(self, frame: Frame, deliver: Deliver, tasks: asyncio.TaskGroup) -> None:
        match frame.command:
            case command if command & RESPONSE:
                self._answered(frame)
            case command if command == DELIVER_SM:
                self._delivered(frame, deliver, tasks)
            case command if command == ENQUIRE_LINK:
                self._write(bare(ENQUIRE_LINK | RESPONSE, frame.sequence))
            case command if command == UNBIND:
                self._write(bare(UNBIND | RESPONSE, frame.sequence))
                self.end("the message centre has unbound us")
            case _:
                self._write(bare(GENERIC_NACK, frame.sequence, status=INVALID_COMMAND))

    def _answered(self, frame: Frame) -> None:
        answer = self._open.pop(frame.sequence, None)
        late = self._late.pop(frame.sequence, None)
        submitted = frame.command == SUBMIT_SM | RESPONSE
        message_id = frame.first_text() if submitted and frame.status == OK else ""
        if answer is not None and not answer.done():
            answer.set_result(Answered(frame.status, message_id))
        elif late is not None and message_id:
            late(message_id)

    def _delivered(self, frame: Frame, deliver: Deliver, tasks: asyncio.TaskGroup) -> None:
        try:
            pdu = deliver_sm(frame)
        except smpp34.SmppError as error:
            _log.error("smpp_deliver_sm_not_understood", cause=str(error), octets=len(frame.raw))
            self._write(delivered(frame.sequence, status=INVALID_MESSAGE_LENGTH))
            return
        if self._deliveries >= _DELIVERIES_MAX:
            self._write(delivered(frame.sequence, status=RECEIVER_BUSY))
            return
        self._deliveries += 1
        tasks.create_task(self._commit(pdu, frame.sequence, deliver), name="smpp deliver_sm")

    async def _commit(self, pdu: smpp34.DeliverSm, sequence: int, deliver: Deliver) -> None:
        """Answer only after the commit; a refusal makes the message centre keep it and come again."""
        try:
            committed = await deliver(pdu)
        finally:
            self._deliveries -= 1
        self._write(delivered(sequence, status=OK if committed else RECEIVER_BUSY))

    def _write(self, frame: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() > _BUFFER_MAX:  # It asks and asks, and reads no answer.
            self.end("the message centre does not read")
        elif not self._over.done():
            self._writer.write(frame)


async def connected(section: SmsSmpp, *, tls: ssl.SSLContext | None, clock: Clock) -> Session:
    """Open a connection, not bound yet.

    Raises:
        BindError: It cannot be opened.
    """
    try:
        async with asyncio.timeout(section.timeout_s):
            reader, writer = await asyncio.open_connection(section.host, section.port, ssl=tls)
    except TimeoutError as error:
        raise BindError(f"no connection within {section.timeout_s:g} s") from error
    except OSError as error:
        raise BindError(why(error)) from error
    except ValueError as error:  # A host that cannot be written as one (IDNA).
        raise BindError(f"{section.host} is no host name") from error
    return Session(reader, writer, section=section, clock=clock)
