"""A message centre that does what a test tells it to, frame by frame: what smpp34's own server, which behaves, cannot be made to do."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import smpp34

from channels.break_off import break_off

_HEADER = struct.Struct(">IIII")
BIND_TRANSMITTER, SUBMIT, DELIVER, UNBIND, BIND_TRANSCEIVER, ENQUIRE = 0x02, 0x04, 0x05, 0x06, 0x09, 0x15
RESPONSE = 0x80000000
NACK = 0x80000000


@dataclass
class Submitted:
    """One submit_sm that came in."""

    sequence: int
    pdu: smpp34.SubmitSm


@dataclass
class Centre:
    """See the module.

    Attributes:
        bind_status: What a bind is answered with; None = nothing.
        on_submit: Answers a submit_sm, by default with an id; `answer` and `cut` are its tools.
        submitted, binds, commands: What came in, in order.
        told: The status of each deliver_sm_resp, in order.
    """

    port: int = 0
    bind_status: int | None = 0
    on_submit: Callable[["Centre", Submitted], None] | None = None
    answers_enquiries: bool = True
    submitted: list[Submitted] = field(default_factory=list)
    binds: list[tuple[int, bytes]] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None
    sequence: int = 1000

    def write(self, command: int, sequence: int, *, status: int = 0, body: bytes = b"") -> None:
        """Send any frame."""
        if self.writer is not None:
            self.writer.write(_HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body)

    def answer(self, one: Submitted, *, status: int = 0, message_id: str | None = None) -> None:
        """Answer a submit_sm."""
        body = b"" if status else (message_id or f"id{one.sequence}").encode() + b"\0"
        self.write(SUBMIT | RESPONSE, one.sequence, status=status, body=body)

    def deliver(self, text: bytes, *, esm_class: int = 0, source: str = "8613800000001", **fields: object) -> None:
        """Send a deliver_sm."""
        self.sequence += 1
        settings = {"source_addr_ton": 1, "esm_class": esm_class, "sequence_number": self.sequence, **fields}
        frame = smpp34.DeliverSm(source, "10690000", text, **settings)  # type: ignore[arg-type]  # fields of the library's own names
        if self.writer is not None:
            self.writer.write(frame.encode())

    def receipt(self, message_id: str, state: str = "DELIVRD") -> None:
        """Send a receipt in the text form of appendix B."""
        said = f"id:{message_id} sub:001 dlvrd:001 submit date:2607031530 done date:260703153112 stat:{state} err:000 text:x"
        self.deliver(said.encode(), esm_class=0x04)

    def cut(self) -> None:
        """Drop the connection without a word."""
        if self.writer is not None:
            break_off(self.writer.transport)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; the newest is the one that tests write to."""
        self.writer = writer
        try:
            while True:
                header = await reader.readexactly(_HEADER.size)
                length, command, status, sequence = _HEADER.unpack(header)
                self._take(command, status, sequence, header + await reader.readexactly(length - _HEADER.size))
        except (OSError, EOFError):
            break_off(writer.transport)

    def _take(self, command: int, status: int, sequence: int, raw: bytes) -> None:
        self.commands.append(command)
        if command in {BIND_TRANSCEIVER, BIND_TRANSMITTER}:
            self.binds.append((command, raw[_HEADER.size :]))
            if self.bind_status is not None:
                body = b"" if self.bind_status else b"centre\0"
                self.write(command | RESPONSE, sequence, status=self.bind_status, body=body)
        elif command == SUBMIT:
            pdu = smpp34.decode(raw)
            assert isinstance(pdu, smpp34.SubmitSm)
            self.submitted.append(one := Submitted(sequence, pdu))
            (self.on_submit or Centre.answer)(self, one)
        elif command == DELIVER | RESPONSE:
            self.told.append(status)
        elif command == UNBIND or (command == ENQUIRE and self.answers_enquiries):
            self.write(command | RESPONSE, sequence)


@asynccontextmanager
async def listening(centre: Centre, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Centre]:
    """Listen for as long as the block lasts."""
    server = await asyncio.start_server(centre.serve, "127.0.0.1", centre.port, ssl=tls)
    centre.port = server.sockets[0].getsockname()[1]
    try:
        yield centre
    finally:
        server.close()
        centre.cut()
