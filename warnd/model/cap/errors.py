"""What `parse` raises: one base, three kinds, each with its reasons."""

from warnd.model.reason import Reason


class CapError(Exception):
    """The bytes are no alert; `reasons` (at least one, all refusing) say why."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__("; ".join(reason.cause for reason in reasons))
        self.reasons = reasons


class NotXml(CapError):  # noqa: N818 - it names what the document is, and callers read it so
    """Not well-formed, or with a DOCTYPE or entities, which CAP has no use for and attacks have."""


class TooLarge(NotXml):
    """Larger than `MAX_BYTES`; it was not looked at."""


class NotCap(CapError):  # noqa: N818 - it names what the document is, and callers read it so
    """Well-formed, but not CAP 1.1 or 1.2 as the standard gives its structure."""
