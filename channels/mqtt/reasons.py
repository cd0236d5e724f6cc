"""What the reason codes of MQTT 5 mean for a try, and what a person can do about each: the one table (MQTT 5.0 §2.4).

A code means different things in different packets: what a CONNACK or a SUBACK refuses has never left; what a PUBACK refuses has not
arrived; and whatever was in flight when a DISCONNECT came may or may not have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Meaning = Literal["accepted", "permanent", "transient", "throttled", "ambiguous"]


class Packet(StrEnum):
    """Where a code stands."""

    CONNACK = "CONNACK"  # §3.2.2.2
    PUBACK = "PUBACK"  # §3.4.2.1
    SUBACK = "SUBACK"  # §3.9.3
    DISCONNECT = "DISCONNECT"  # §3.14.2.1, as far as a server sends them


@dataclass(frozen=True, slots=True)
class Reason:
    """One code.

    Attributes:
        name: As the standard has it.
        fix: What to do, for a person; empty where there is nothing to do.
    """

    code: int
    name: str
    meaning: Meaning
    fix: str = ""

    def __str__(self) -> str:
        """The code, its name and what to do, in one line."""
        return f"{self.code:#04x} {self.name}" + (f": {self.fix}" if self.fix else "")


_LOOK = "look into the broker's log"
_ACCOUNT = "check the user, the password or the certificate, and that the broker knows this user on this port"
_RIGHTS = "the broker's rules must let this user do it: see its ACL or its dynamic security"
_SLOWER = "the broker wants less; it is tried again by itself"
_OTHER = "name the other broker in the settings"

# Code -> name, what to do, and the packets in which a server may send it.
_CODES: Mapping[int, tuple[str, str, str]] = {
    0x00: ("success", "", "C P S D"),
    0x01: ("granted QoS 1", "", "S"),
    0x02: ("granted QoS 2", "", "S"),
    0x10: ("no matching subscribers", "", "P"),
    0x80: ("unspecified error", _LOOK, "C P S D"),
    0x81: ("malformed packet", _LOOK, "C D"),
    0x82: ("protocol error", _LOOK, "C D"),
    0x83: ("implementation specific error", _LOOK, "C P S D"),
    0x84: ("unsupported protocol version", "the broker must speak MQTT 5", "C"),
    0x85: ("client identifier not valid", "choose another client_id", "C"),
    0x86: ("bad user name or password", _ACCOUNT, "C"),
    0x87: ("not authorized", "", "C P S D"),
    0x88: ("server unavailable", "start the broker, or wait", "C"),
    0x89: ("server busy", _SLOWER, "C D"),
    0x8A: ("banned", "ask whoever keeps the broker", "C"),
    0x8B: ("server shutting down", "it is connected to again by itself", "D"),
    0x8C: ("bad authentication method", "the broker must take a user name or a certificate", "C"),
    0x8D: ("keep alive timeout", "the network or this machine is too slow", "D"),
    0x8E: ("session taken over", "another program uses this client_id: give each its own", "D"),
    0x8F: ("topic filter invalid", _LOOK, "S D"),
    0x90: ("topic name invalid", "the code or id in the topic is nothing that the broker takes", "C P D"),
    0x91: ("packet identifier in use", "", "P S"),
    0x93: ("receive maximum exceeded", "lower concurrency in the mqtt settings", "D"),
    0x94: ("topic alias invalid", _LOOK, "D"),
    0x95: ("packet too large", "raise max_packet_size at the broker, or shorten the texts", "C D"),
    0x96: ("message rate too high", "lower rate_per_s in the mqtt settings", "D"),
    0x97: ("quota exceeded", _SLOWER, "C P S D"),
    0x98: ("administrative action", "somebody ended the connection at the broker", "D"),
    0x99: ("payload format invalid", "", "C P D"),
    0x9A: ("retain not supported", "the broker must keep retained messages", "C D"),
    0x9B: ("QoS not supported", "the broker must offer QoS 1", "C D"),
    0x9C: ("use another server", _OTHER, "C D"),
    0x9D: ("server moved", _OTHER, "C D"),
    0x9E: ("shared subscriptions not supported", _LOOK, "S D"),
    0x9F: ("connection rate exceeded", _SLOWER, "C D"),
    0xA0: ("maximum connect time", "it is connected to again by itself", "D"),
    0xA1: ("subscription identifiers not supported", _LOOK, "S D"),
    0xA2: ("wildcard subscriptions not supported", "the broker must allow +", "S D"),
}
_LETTERS = {"C": Packet.CONNACK, "P": Packet.PUBACK, "S": Packet.SUBACK, "D": Packet.DISCONNECT}
_GRANTED = {0x00, 0x01, 0x02, 0x10}
_THROTTLED = {0x89, 0x96, 0x97, 0x9F}
_IN_THE_MESSAGE = {0x90, 0x99}  # What is wrong is in the message, and it stays as it is.
_NOT_AUTHORIZED = 0x87


def _meaning(packet: Packet, code: int) -> Meaning:
    if packet is Packet.DISCONNECT:
        return "ambiguous"
    if code in _GRANTED:
        return "accepted"
    if code in _THROTTLED:
        return "throttled"
    # Rights and accounts are wrong, not the message: people can mend them while the warning still lives.
    return "permanent" if packet is Packet.PUBACK and code in _IN_THE_MESSAGE else "transient"


def _fix(packet: Packet, code: int, fix: str) -> str:
    if code != _NOT_AUTHORIZED:
        return fix
    return _ACCOUNT if packet is Packet.CONNACK else _RIGHTS


REASONS: Mapping[tuple[Packet, int], Reason] = {
    (packet, code): Reason(code, name, _meaning(packet, code), _fix(packet, code, fix))
    for code, (name, fix, letters) in _CODES.items()
    for packet in (_LETTERS[letter] for letter in letters.split())
}


def reason(packet: Packet, code: int) -> Reason:
    """Return what a code means; one that the standard does not have there is transient, or ambiguous in a DISCONNECT."""
    found = REASONS.get((packet, code))
    if found is not None:
        return found
    unknown = Reason(code, f"unknown {packet} code", "transient", "look the code up in the broker's manual")
    return unknown if packet is not Packet.DISCONNECT else Reason(code, unknown.name, "ambiguous", unknown.fix)
