"""What a broker's PUBACK means for a try. Accepted is the most that a PUBACK can ever say."""

import structlog

from channels.mqtt.reasons import REASONS, Packet, reason
from warnd.channel import Accepted, Failed, Outcome

_QUOTA_WAIT_S = 5.0  # Brokers do not say how long; a publish that fails again costs little.
_log = structlog.get_logger(__name__)


def outcome_of(code: int) -> Outcome:
    """Return what a PUBACK with this reason code means; a code that the standard does not list is transient and loud."""
    told = reason(Packet.PUBACK, code)
    if (Packet.PUBACK, code) not in REASONS:
        _log.error("puback_unknown", code=f"{code:#04x}", fix=told.fix)
    match told.meaning:
        case "accepted":
            # A retained command waits at the broker for terminals that come later; who has heard, receipts will tell.
            return Accepted(str(told) if code else None)
        case "throttled":
            return Failed(str(told), "throttled", _QUOTA_WAIT_S)
        case "permanent":
            return Failed(str(told), "permanent")
        case _:
            return Failed(str(told))
