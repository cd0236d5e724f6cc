"""`[push]`: Web Push to browsers that subscribed to a place."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from warnd.model.push import SERVICES
from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, ExistingFile, Name, Names, Rate, Seconds, Table, Whole

_CONTACT = re.compile(r"mailto:[^\s@]+@[^\s@.]+(\.[^\s@.]+)+|https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\S*")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*|::1")


def _contact(value: str) -> str:
    if not _CONTACT.fullmatch(value):
        cause = f'Found "{value}"; push services want an address where somebody reads.'
        raise UnfitError(cause, 'Write it like "mailto:it@example.org" or "https://example.org".')
    return value


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _HOST.fullmatch(value):
            cause = f'"{value}" is no name of a host.'
            raise UnfitError(cause, 'Write hosts in small letters like "push.example.org", without "https://".')
    return values


class Push(Table):
    """Web Push.

    Attributes:
        services: The only hosts that are ever posted to: anybody may hand in an address.
        subscriptions_max: Kept in all, so that nobody can fill the disk.
    """

    vapid_key_file: ExistingFile = Field(description="a PEM file with the private key that push services know us by")
    contact: Annotated[Name, AfterValidator(_contact)] = Field(
        description='an address for push services to complain to, like "mailto:it@example.org"'
    )
    services: Annotated[Names, AfterValidator(_hosts)] = Field(
        default=SERVICES,
        description='the hosts of push services like ["push.example.org"]; what ends like them is meant, too',
    )
    subscriptions_max: Annotated[Whole, Field(ge=1, le=10_000_000)] = Field(
        default=200_000, description="how many subscriptions are kept at most, 1 to 10000000"
    )
    timeout_s: Seconds = Field(default=10, description="how many seconds one notification may take to be handed over")
    rate_per_s: Rate = Field(default=500, description="notifications per second, above 0")
    concurrency: Count = Field(default=100, description="how many notifications may be under way at once, 1 to 10000")
