"""`[apprise]`: chat and message services by each recipient's Apprise address."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from warnd.chats import SERVICES
from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Names, Rate, Seconds, Table

_SERVICE = re.compile(r"[a-z][a-z0-9]{1,19}")


def _services(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _SERVICE.fullmatch(value):
            cause = f'"{value}" is no name of a service.'
            raise UnfitError(cause, 'Write what stands before "://" in its addresses, like "wecombot".')
    return values


class Apprise(Table):
    """Chat services.

    Attributes:
        services: The only ones that are ever used: others reach any host, files, or this machine itself.
    """

    services: Annotated[Names, AfterValidator(_services)] = Field(
        default=SERVICES, description='the services that may be used, like ["wecombot", "tgram"]'
    )
    timeout_s: Seconds = Field(default=10, description="how many seconds a service may take to connect, and to answer")
    rate_per_s: Rate = Field(default=20, description="messages per second, above 0")
    concurrency: Count = Field(default=20, description="how many messages may be under way at once, 1 to 10000")
