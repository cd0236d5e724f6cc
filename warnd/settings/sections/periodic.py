"""When periodic work is done."""

from typing import Annotated

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Table

_HOURS = 'times like "30 3 * * *": minute, hour, day of the month, month, day of the week'


def _hours(value: str) -> str:
    """Refuse what is no cron text, and days of the week as digits: cron begins them with Sunday, the trigger with Monday."""
    if value in {"", "never"}:
        return ""
    try:
        CronTrigger.from_crontab(value)
    except ValueError as error:
        raise UnfitError(f'Found "{value}"; it is no cron text: {error}.', f'Write {_HOURS}; or "never".') from error
    if any(letter.isdigit() for letter in value.split()[4]):
        raise UnfitError(f'Found "{value}"; days of the week are ambiguous as digits.', 'Write them like "mon-fri".')
    return value


Hours = Annotated[str, AfterValidator(_hours)]


class Periodic(Table):
    """Periodic work, in the time zone of the node; an empty text = never."""

    cleanup: Hours = Field(default="30 3 * * *", description=f"when notes that nobody needs are forgotten; {_HOURS}")
    audit: Hours = Field(default="0 4 * * sun", description=f"when the record of events is verified; {_HOURS}")
    probe: Hours = Field(
        default="0 8 * * *", description=f"when every channel is tried without telling anybody; {_HOURS}"
    )
