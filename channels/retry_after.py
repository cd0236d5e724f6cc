"""What a server asks for that wants to be left in peace for a while: the header Retry-After (RFC 9110 §10.2.3). Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3_600.0
"""A wait beyond this would outlast most warnings."""


def retry_after_s(told: str | None, *, now: datetime) -> float | None:
    """Return the seconds from `now` that a header asks for, a number or a date, at most `LONGEST_S`; None = nothing that can be read."""
    told = (told or "").strip()
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), LONGEST_S)
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, OverflowError):  # A zone of a million hours.
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now).total_seconds()), LONGEST_S)
