"""What a broker's PUBACK means for a try. Accepted is the most that a PUBACK can ever say."""

from collections.abc import Mapping
from enum import IntEnum

import structlog

from warnd.channel import Accepted, Failed, Outcome

_QUOTA_WAIT_S = 5.0  # Brokers do not say how long; a publish that fails again costs little.
_log = structlog.get_logger(__name__)


class Puback(IntEnum):
    """The reason codes of PUBACK (MQTT 5.0 §3.4.2.1): all that the standard lists."""

    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10
    UNSPECIFIED_ERROR = 0x80
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    NOT_AUTHORIZED = 0x87
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


_MEANING: Mapping[Puback, Outcome] = {
    Puback.SUCCESS: Accepted(),
    # A retained command waits at the broker for terminals that come later; who has heard, receipts will tell.
    Puback.NO_MATCHING_SUBSCRIBERS: Accepted("0x10 no matching subscribers"),
    Puback.UNSPECIFIED_ERROR: Failed("0x80 unspecified error"),
    Puback.IMPLEMENTATION_SPECIFIC_ERROR: Failed("0x83 implementation specific error"),
    # The rules are wrong, not the message: people can mend them while the warning still lives.
    Puback.NOT_AUTHORIZED: Failed("0x87 not authorized: the broker's ACL must let this user write to the topic"),
    # What is wrong is in the message, and it stays as it is.
    Puback.TOPIC_NAME_INVALID: Failed("0x90 topic name invalid", "permanent"),
    Puback.PACKET_IDENTIFIER_IN_USE: Failed("0x91 packet identifier in use"),
    Puback.QUOTA_EXCEEDED: Failed("0x97 quota exceeded", "throttled", _QUOTA_WAIT_S),
    Puback.PAYLOAD_FORMAT_INVALID: Failed("0x99 payload format invalid", "permanent"),
}


def outcome_of(code: int) -> Outcome:
    """Return what a PUBACK with this reason code means; a code that the standard does not list is transient and loud."""
    if code in _MEANING:
        return _MEANING[Puback(code)]
    _log.error("puback_unknown", code=f"{code:#04x}", fix="look the code up in the broker's manual")
    return Failed(f"{code:#04x} unknown PUBACK code")
