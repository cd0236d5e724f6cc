"""The API's endpoints about loudspeakers and about the daemon itself."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

from warnd.ledger import views
from warnd.model.documents import TerminalPage
from warnd.web.auth import Reader
from warnd.web.doors import Given
from warnd.web.health import degraded, problems
from warnd.web.warnings import Cursor, Limit

router = APIRouter(prefix="/api/v1")


@dataclass(frozen=True, slots=True)
class Status:
    """How the daemon fares; `problems` name what keeps warnings from coming in or leaving, `degraded` what fails although they can."""

    node: str
    at: datetime
    ready: bool
    problems: list[str]
    degraded: list[str]


@router.get("/terminals", tags=["terminals"], summary="List the loudspeakers as they last spoke of themselves")
async def terminals(doors: Given, _by: Reader, *, limit: Limit = 100, cursor: Cursor = None) -> TerminalPage:
    """A terminal that was never seen, or has missed three heartbeats, is not online."""
    return await doors.ledger.read(views.terminals, now=doors.clock.now(), limit=limit, cursor=cursor)


@router.get("/status", tags=["daemon"], summary="See how the daemon fares")
async def status(doors: Given, _by: Reader) -> Status:
    """The same that `/readyz` names."""
    found = await problems(doors)
    return Status(doors.node.name, doors.clock.now(), not found, found, degraded(doors))
