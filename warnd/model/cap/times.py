"""Times as CAP writes them. Fractions of a second are dropped: CAP 1.2 cannot carry them and 1.1 hardly ever does."""

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


class UnreadableTimeError(ValueError):
    """The text is no time that a calendar of the years 1 to 9999, in UTC, has."""


def read_time(text: str) -> tuple[datetime, bool]:
    """Return the aware time and whether its zone was written; without one it is read as UTC.

    The offset is kept; -00:00 (UTC in CAP, whose place is unknown) and Z are UTC. 24:00:00 is the end of the day, as
    XML Schema has it.

    Raises:
        UnreadableTimeError: It cannot be read.
    """
    found = _TIME.fullmatch(text.strip(" \t\r\n"))
    if found is None:
        raise UnreadableTimeError(text)
    year, month, day, hour, minute, second, zone = found.groups()
    try:
        midnight_after = (hour, minute, second) == ("24", "00", "00")
        clock = "00:00:00" if midnight_after else f"{hour}:{minute}:{second}"
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{'Z' if zone is None else zone}")
        moment += timedelta(days=1 if midnight_after else 0)
        moment.astimezone(
            UTC
        )  # Year 1 or 9999 with an offset may lie outside the calendar in UTC, where all is compared.
    except (ValueError, OverflowError) as error:
        raise UnreadableTimeError(text) from error
    return moment, zone is not None


def write_time(moment: datetime) -> str:
    """Return the time as CAP 1.2 §3.3.2 wants it: whole seconds, a numeric offset, UTC as -00:00."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment!r} has no zone")
    if offset % timedelta(minutes=1):
        moment = moment.astimezone(UTC)
    text = moment.replace(microsecond=0).isoformat()
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text
