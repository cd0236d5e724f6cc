"""One warning followed live: its document whenever it changed, and the record's events in order, from wherever the client stopped."""

import json

from pydantic import TypeAdapter
from starlette.requests import Request

from warnd.ledger import views
from warnd.model.documents import WarningDocument
from warnd.web.doors import Doors
from warnd.web.problems import Problem
from warnd.web.sse import EventStream, event

_WARNING = TypeAdapter(WarningDocument)
_BATCH = 200  # Events of the record told at once; the next look tells the next ones.
_LONGEST_NUMBER = 18


def record_stream(request: Request, doors: Doors, warning_id: str) -> EventStream:
    """Return the stream of a warning that exists.

    Raises:
        Problem: 503, as many streams are open as this daemon keeps.
    """
    if doors.api_streams.full:
        raise Problem(
            503,
            "Too many streams are open. Try again later, or ask for the warning itself.",
            headers={"Retry-After": "10"},
        )
    follower = _Follower(doors, warning_id, after=_last_id(request))
    return EventStream(doors.api_streams, follower.look)


def _last_id(request: Request) -> int:
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _LONGEST_NUMBER else 0


class _Follower:
    """Remembers what one client has been told."""

    def __init__(self, doors: Doors, warning_id: str, *, after: int) -> None:
        self._doors = doors
        self._id = warning_id
        self._after = after
        self._told = b""

    async def look(self) -> bytes:
        """Return what is new."""
        read = self._doors.ledger.read
        happened = await read(views.events, warning_id=self._id, after=self._after, limit=_BATCH)
        document = await read(views.warning, warning_id=self._id)
        found = b"".join(
            event(one.kind, data=json.dumps({"at": one.at.isoformat(), "kind": one.kind, "data": one.data}), id_=one.no)
            for one in happened
        )
        self._after = happened[-1].no if happened else self._after
        state = self._told if document is None else _WARNING.dump_json(document)
        if state != self._told:
            self._told = state
            found += event("warning", data=state.decode())
        return found
