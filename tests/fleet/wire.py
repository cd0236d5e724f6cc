"""The packets of MQTT 5 that a loudspeaker and its broker exchange, as bytes. Knows no sockets and no warnings.

The protocol's own text is the source: OASIS MQTT 5.0, chapters 2 and 3. Ours because five thousand full clients in one process would
measure themselves instead of the broker and the daemon.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
DISCONNECT: Final = 14

_WILL, _WILL_QOS_1, _WILL_RETAIN, _PASSWORD, _USER = 0x04, 0x08, 0x20, 0x40, 0x80
_EXPIRY, _SESSION_EXPIRY, _WILL_DELAY = 0x02, 0x11, 0x18  # MQTT 5.0 §2.2.2.2.


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for a client that is gone; retained, QoS 1."""

    topic: str
    payload: bytes
    delay_s: int


@dataclass(frozen=True, slots=True)
class Published:
    """A PUBLISH that came in; `packet_id` is 0 with QoS 0."""

    topic: str
    payload: bytes
    packet_id: int
    retained: bool


def connect(
    client_id: str, *, user: str, password: str, keepalive_s: int, session_s: int, will: Will | None = None
) -> bytes:
    """Return a CONNECT that asks for the session that was kept; `session_s` 0 keeps none."""
    flags = _USER | _PASSWORD | (_WILL | _WILL_QOS_1 | _WILL_RETAIN if will else 0)
    head = _text("MQTT") + bytes([5, flags]) + struct.pack("!H", keepalive_s)
    session = _properties(struct.pack("!BI", _SESSION_EXPIRY, session_s))
    return _sealed(0x10, head + session + _text(client_id) + _of_will(will) + _text(user) + _text(password))


def _of_will(will: Will | None) -> bytes:
    if will is None:
        return b""
    delay = _properties(struct.pack("!BI", _WILL_DELAY, will.delay_s))
    return delay + _text(will.topic) + _blob(will.payload)


def subscribe(packet_id: int, topics: tuple[str, ...]) -> bytes:
    """Return a SUBSCRIBE with QoS 1 for each topic."""
    filters = b"".join(_text(topic) + b"\x01" for topic in topics)
    return _sealed(0x82, struct.pack("!H", packet_id) + b"\x00" + filters)


def publish(topic: str, payload: bytes, packet_id: int, *, retain: bool = False, expiry_s: int | None = None) -> bytes:
    """Return a PUBLISH with QoS 1."""
    properties = b"" if expiry_s is None else struct.pack("!BI", _EXPIRY, expiry_s)
    body = _text(topic) + struct.pack("!H", packet_id) + _properties(properties) + payload
    return _sealed(0x32 | retain, body)


def puback(packet_id: int) -> bytes:
    """Return a PUBACK that says success."""
    return _sealed(0x40, struct.pack("!H", packet_id))


def pingreq() -> bytes:
    """Return a PINGREQ."""
    return b"\xc0\x00"


def disconnect() -> bytes:
    """Return a DISCONNECT that says goodbye, so that no will is published."""
    return b"\xe0\x00"


def published(flags: int, body: bytes) -> Published:
    """Return what a PUBLISH carries."""
    end = 2 + struct.unpack_from("!H", body)[0]
    topic, packet_id = body[2:end].decode(), 0
    if flags & 0x06:
        packet_id = struct.unpack_from("!H", body, end)[0]
        end += 2
    length, begin = _length(body, end)
    return Published(topic, body[begin + length :], packet_id, bool(flags & 0x01))


def reason_codes(kind: int, body: bytes) -> bytes:
    """Return the reason codes of a CONNACK, PUBACK, SUBACK or DISCONNECT; success where none is written."""
    match kind:
        case 2:
            return body[1:2]
        case 4:
            return body[2:3] or b"\x00"
        case 9:
            length, begin = _length(body, 2)
            return body[begin + length :]
        case _:
            return body[:1] or b"\x00"


def session_present(body: bytes) -> bool:
    """Return whether a CONNACK says that the broker still had the session."""
    return bool(body[0] & 1)


class Packets:
    """Cuts a stream into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, more: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yield (kind, flags, body) of each packet that is whole now."""
        stream = self._rest + more if self._rest else more
        at = 0
        while True:
            cut = _next(stream, at)
            if cut is None:
                break
            begin, end = cut
            yield stream[at] >> 4, stream[at] & 0x0F, stream[begin:end]
            at = end
        self._rest = stream[at:]


def _next(stream: bytes, at: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `at` begins and ends, or None if it is not whole yet."""
    if len(stream) < at + 2:
        return None
    try:
        length, begin = _length(stream, at + 1)
    except IndexError:
        return None
    return (begin, begin + length) if len(stream) >= begin + length else None


def _length(stream: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer (§1.5.5) and where it ends."""
    value, shift = 0, 0
    while True:
        byte = stream[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _variable(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _sealed(first: int, body: bytes) -> bytes:
    return bytes([first]) + _variable(len(body)) + body


def _properties(encoded: bytes) -> bytes:
    return _variable(len(encoded)) + encoded


def _blob(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


def _text(value: str) -> bytes:
    return _blob(value.encode())
