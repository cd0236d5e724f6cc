"""What the daemon hands to the web, in one piece, so that every endpoint finds it in the same place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from warnd.bell import Bell
from warnd.channel import Channel
from warnd.clock import Clock
from warnd.ledger.store import Ledger
from warnd.model.documents import Outlook
from warnd.web.desk import Desk
from warnd.web.sse import Streams


@dataclass(frozen=True, slots=True)
class Node:
    """Whom this daemon speaks for.

    Attributes:
        jurisdiction: Region codes as in the settings; empty = every imported region.
        languages: What people here read, first one first.
    """

    name: str
    jurisdiction: tuple[str, ...]
    timezone: ZoneInfo
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Everything that endpoints ask.

    Attributes:
        problems: What keeps parts of the daemon other than channels from working, a sentence each.
        outlook: When what waits of the warning with this id will have gone out; None = nothing of it waits.
        degraded: What fails in them although they work, a sentence each.
        public_url: Without a slash at its end.
    """

    ledger: Ledger
    desk: Desk
    clock: Clock
    bell: Bell
    node: Node
    channels: Sequence[Channel]
    problems: Callable[[], Sequence[str]]
    outlook: Callable[[str], Outlook | None]
    degraded: Callable[[], Sequence[str]]
    public_url: str
    api_streams: Streams
    site_streams: Streams


def doors_of(request: Request) -> Doors:
    """Return what `create_app` was given."""
    found: Doors = request.app.state.doors
    return found


async def _given(request: Request) -> Doors:
    return doors_of(request)


Given = Annotated[Doors, Depends(_given)]
