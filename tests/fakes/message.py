"""A red flood warning as channels get it, to be changed by tests."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from warnd.channel import Message
from warnd.model.level import Level


def red_flood(
    issued_at: datetime, *, name: str = "m1", lives: timedelta = timedelta(hours=1), **changed: Any
) -> Message:
    """Return an Actual warning that was released then and lives that long; `name` is its id and its chain's, `changed` are other fields."""
    usual = Message(
        id=name,
        chain_id=name,
        seq=1,
        kind="warning",
        drill=False,
        status="Actual",
        level=Level.RED,
        event="洪水",
        headline="洪水红色预警",
        area="柳河镇",
        issued_at=issued_at,
        expires_at=issued_at + lives,
    )
    return replace(usual, **changed)
