"""How the daemon writes about itself: one line an event, on stderr, without phone numbers, tokens, or what its variables held."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from warnd.model.mask import masked
from warnd.settings import Log

# E.164, and mainland China's mobile numbers as people write them; region codes and ids are longer, carry no plus, or stand in a word.
_PHONE = re.compile(r"\+\d{7,15}|(?<![\w.+-])1[3-9]\d{9}(?![\w-])")
_TOKEN = re.compile(r"(bearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_CHATTY = ("uvicorn", "aiosqlite", "asyncio")  # Any stranger makes the first one warn, as often as they like.


def write_logs(settings: Log) -> None:
    """Send everything that is logged in this process to stderr, in the format and from the level that the settings say."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    # Never with local variables: they hold addresses and tokens.
    traced: list[Processor] = (
        [structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))]
        if settings.format == "json"
        else []
    )
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [_rendered(settings), mask]
    structlog.configure(
        processors=[*before, *traced, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    _take_in_libraries(before, [*traced, *last], level=level)


def _rendered(settings: Log) -> Processor:
    if settings.format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _take_in_libraries(before: list[Processor], after: list[Processor], *, level: int) -> None:
    """Let what libraries log by Python's own means look the same; from warnings on, whatever the level: they tell too much."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after]
        )
    )
    logging.basicConfig(handlers=[out], level=max(level, logging.WARNING), force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def mask(_logger: object, _method: str, line: str | bytes | MutableMapping[str, Any]) -> str:
    """Mask phone numbers and bearer tokens anywhere in a rendered line; an exception's message may quote one."""
    assert isinstance(line, str)
    hidden = _PHONE.sub(lambda found: masked(found[0]), line)
    return _TOKEN.sub(r"\1*****", hidden)
