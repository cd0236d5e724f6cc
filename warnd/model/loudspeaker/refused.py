"""The words with which a terminal tells why, and the error that carries one of them."""

from enum import StrEnum


class Why(StrEnum):
    """`reason` of a receipt (DESIGN §9); the list is closed, and other people's daemons read it."""

    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    NOT_FOR_ME = "not_for_me"
    DRILL_ON_LIVE = "drill_on_live"
    SUPERSEDED = "superseded"
    BUSY = "busy"
    HIGHER_PRIORITY = "higher_priority"
    AUDIO_FETCH = "audio_fetch"
    AUDIO_HASH = "audio_hash"
    AMPLIFIER = "amplifier"
    NO_VOICE = "no_voice"
    STORAGE = "storage"


class Refused(Exception):  # noqa: N818 - the protocol's own word for it; nothing here is an error of the program
    """A document of the protocol was not taken.

    Attributes:
        reason: The protocol's word for it; None where it has none: well signed, but what was signed breaks the format.
        cause: What was found and where, in one English sentence part, for logs.
    """

    def __init__(self, reason: Why | None, cause: str) -> None:
        super().__init__(f"{reason or 'malformed'}: {cause}")
        self.reason = reason
        self.cause = cause
