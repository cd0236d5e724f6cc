"""Local hours in which loudspeakers may speak for lesser warnings: a village that is woken for nothing stops listening."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_for_s(hours: tuple[str, str] | None, *, now: datetime, timezone: ZoneInfo) -> float:
    """Return for how many seconds from `now` loudspeakers must stay silent; 0 = they may speak.

    Args:
        hours: ("06:00", "22:00"), local; the second may be earlier than the first (over midnight). None = always.
        now: Aware UTC.
        timezone: The node's.
    """
    if hours is None:
        return 0.0
    opens, closes = (time.fromisoformat(each) for each in hours)
    local = now.astimezone(timezone)
    at = local.time().replace(tzinfo=None)
    speaking = opens <= at < closes if opens < closes else at >= opens or at < closes
    if speaking:
        return 0.0
    opening = local.replace(hour=opens.hour, minute=opens.minute, second=0, microsecond=0)
    if opening <= local:
        opening += timedelta(days=1)
    return (opening.astimezone(now.tzinfo) - now).total_seconds()
