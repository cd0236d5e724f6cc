"""How the daemon writes about itself: one line an event, on stderr, with every phone number masked."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from warnd.model.mask import masked
from warnd.settings import Log

_PHONE = re.compile(r"\+\d{7,15}")  # E.164; region codes and ids carry no plus.


def write_logs(settings: Log) -> None:
    """Send everything that is logged in this process to stderr, in the format and from the level that the settings say."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    last = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks if settings.format == "json" else _as_it_is,
            mask_phones,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def mask_phones(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask phone numbers in every text of an event; an exception's message may quote one."""
    return {
        name: _PHONE.sub(lambda found: masked(found[0]), value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _as_it_is(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event
