"""The daemon's log of what happened: it follows the record in the ledger, so that nothing is told that was not committed.

Ids are those of warnings, deliveries, legs and terminals; addresses and texts never stand here.
"""

import json
import logging

import structlog
from sqlalchemy.exc import SQLAlchemyError

from warnd.bell import Bell
from warnd.ledger import events
from warnd.ledger.store import Ledger

_LOOK_S = 5.0  # Without a bell: for what other programs wrote, such as an import. The log can wait so long; a processor can rest.
_PAGE = 500
_BULK = frozenset(  # One line for each of a million tries is for whoever hunts a fault.
    {"attempt.submitting", "attempt.recorded", "evidence.rose", "receipt.matched", "playback"}
)
_CARE = frozenset(
    {
        "document.refused",
        "document.forbidden",
        "receipt.unmatched",
        "attempt.unknown",
        "delivery.exhausted",
        "delivery.breached",
        "worker.gone",
        "periodic.missed",
        "periodic.failed",
        "periodic.taken_over",
    }
)

log = structlog.get_logger(__name__)


class Journal:
    """Tells the log what the record tells."""

    def __init__(self, ledger: Ledger, *, bell: Bell, writer: str | None = None) -> None:
        """Tell what `writer` wrote, or everything: where several workers share a record, each tells its own part."""
        self._writer = writer
        self._ledger = ledger
        self._bell = bell
        self._told = 0

    async def start(self) -> None:
        """Begin at the record's present end: what came before was told by whoever ran then."""
        self._told = await self._ledger.read(events.last)

    async def run(self) -> None:
        """Follow the record until cancelled."""
        while True:
            rings = self._bell.rings
            try:
                without = frozenset[str]() if log.is_enabled_for(logging.DEBUG) else _BULK
                rows, self._told = await self._ledger.read(events.since, after=self._told, limit=_PAGE, without=without)
            except SQLAlchemyError as error:
                log.error("record_unreadable", error=str(error))
                rows = []
            for row in rows:
                if self._writer in {None, row.writer}:
                    _tell(row.kind, row.message_id, row.data)
            if len(rows) < _PAGE:
                await self._bell.wait(_LOOK_S, since=rings)


def _tell(kind: str, message_id: str | None, data: str) -> None:
    if kind in _BULK:
        speak = log.debug
    elif kind in _CARE:
        speak = log.warning
    else:
        speak = log.info
    speak(kind, warning_id=message_id, told=json.loads(data))
