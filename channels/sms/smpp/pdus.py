"""The frames of SMPP 3.4 that we send and read. Bodies of messages go through smpp34's codec; the few others are put together here.

Why not smpp34's own client, which was tried (1.5.0): it answers a deliver_sm before its caller has seen it, so that a receipt is lost for
ever if we die or the ledger refuses; it says "bind timed out" whatever the reason of a refusal; it trusts no authority but the system's;
and it makes one error of "refused", "not answered" and "connection lost", which is the difference between sending again and not. Its codec
has none of these faults, and its server, an implementation that is not ours, is the message centre of the tests.
"""

import asyncio
import struct
from dataclasses import dataclass

import smpp34

from channels.sms.smpp.encode import Part
from warnd.settings.sections.sms_smpp import SmsSmpp

GENERIC_NACK = 0x80000000
BIND_TRANSMITTER = 0x02
SUBMIT_SM = 0x04
DELIVER_SM = 0x05
UNBIND = 0x06
BIND_TRANSCEIVER = 0x09
ENQUIRE_LINK = 0x15
RESPONSE = 0x80000000

SEQUENCE_MAX = 0x7FFFFFFF
_HEADER = struct.Struct(">IIII")
_FRAME_MAX = 128 * 1024  # A message_payload holds up to 64 KiB; whatever says it is longer is no SMPP.
_ID_MAX = 65  # Octets of a message_id, SMPP 3.4 §5.2.23: what is longer is kept cut, for each part is remembered.
_VERSION = 0x34
_INTERNATIONAL, _UNKNOWN, _TELEPHONE = 1, 0, 1
_WITH_RECEIPT = 1  # registered_delivery: success or failure, SMPP 3.4 §5.2.17.


class GarbageError(Exception):
    """What came in is no frame of SMPP, so that nothing after it can be trusted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that came in, `raw` whole."""

    command: int
    status: int
    sequence: int
    raw: bytes

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return self.raw[_HEADER.size :]

    def first_text(self) -> str:
        """Return the text that the body begins with: the system id or message id of an answer; empty if there is none."""
        return self.body[:_ID_MAX].split(b"\0")[0].decode("latin-1")


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one frame.

    Raises:
        GarbageError: The header cannot be one.
        OSError, EOFError: The connection ended.
    """
    header = await reader.readexactly(_HEADER.size)
    length, command, status, sequence = _HEADER.unpack(header)
    if not _HEADER.size <= length <= _FRAME_MAX:
        raise GarbageError(f"a frame says that it is {length} octets long")
    return Frame(command, status, sequence, header + await reader.readexactly(length - _HEADER.size))


def bare(command: int, sequence: int, *, status: int = 0) -> bytes:
    """Return a frame without a body."""
    return _HEADER.pack(_HEADER.size, command, status, sequence)


def delivered(sequence: int, *, status: int) -> bytes:
    """Return a deliver_sm_resp; its message_id is unused and empty (SMPP 3.4 §4.6.2)."""
    return _HEADER.pack(_HEADER.size + 1, DELIVER_SM | RESPONSE, status, sequence) + b"\0"


def bind(command: int, sequence: int, section: SmsSmpp) -> bytes:
    """Return a bind_transceiver or bind_transmitter (SMPP 3.4 §4.1)."""
    names = (section.system_id, section.password.get_secret_value(), section.system_type)
    body = b"".join(name.encode("ascii") + b"\0" for name in names) + bytes([_VERSION, 0, 0, 0])
    return _HEADER.pack(_HEADER.size + len(body), command, 0, sequence) + body


def submit(part: Part, sequence: int, section: SmsSmpp, *, address: str, validity: str) -> bytes:
    """Return a submit_sm that asks for a receipt."""
    frame = smpp34.SubmitSm(
        section.source,
        address.removeprefix("+"),
        part.body,
        source_addr_ton=section.source_ton,
        source_addr_npi=section.source_npi,
        dest_addr_ton=_INTERNATIONAL if address.startswith("+") else _UNKNOWN,
        dest_addr_npi=_TELEPHONE,
        esm_class=part.esm_class,
        validity_period=validity,
        registered_delivery=_WITH_RECEIPT,
        data_coding=part.data_coding,
        sequence_number=sequence,
    )
    return frame.encode()


def deliver_sm(frame: Frame) -> smpp34.DeliverSm:
    """Return a delivered message.

    Raises:
        smpp34.SmppError: It is malformed.
    """
    pdu = smpp34.decode(frame.raw)
    if not isinstance(pdu, smpp34.DeliverSm):
        raise smpp34.SmppError("this is no deliver_sm")
    return pdu
