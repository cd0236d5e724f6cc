"""Reads what a gateway tells of its own accord, pushed or fetched: delivery reports and replies. Pure.

Only words that the settings name as delivered or failed prove anything; every other word is no report.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from channels.sms.gateway import NAME
from channels.sms.http_gateway.numbers import address
from channels.sms.http_gateway.verdict import reference, storable
from warnd.channel import Reply, Report
from warnd.model.evidence import Evidence
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_http_feeds import HttpFeed, HttpReplies, HttpReports
from warnd.settings.sections.sms_http_words import point, word

_RAW_MAX = 500
_FIELDS_MAX = 1000
_DIGITS_MAX = 4


class UnreadableError(Exception):
    """It is not what the settings describe; the message says why."""


def document(body: bytes, *, kind: str, encoding: str) -> Any:
    """Return what a body holds: JSON, or the fields of a form or query as a table.

    Raises:
        UnreadableError: It is not of that kind.
    """
    try:
        if kind == "json":
            return json.loads(body.decode(encoding))
        return dict(parse_qsl(body.decode("ascii"), encoding=encoding, errors="strict", max_num_fields=_FIELDS_MAX))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"this is no {kind} in {encoding} ({type(error).__name__})") from error


def entries(told: Any, feed: HttpFeed) -> list[Any]:
    """Return the single reports or replies of a document.

    Raises:
        UnreadableError: There is no list where the settings say that one is.
    """
    if feed.entries is None:
        return told if isinstance(told, list) else [told]
    found = point(told, feed.entries)
    if not isinstance(found, list):
        raise UnreadableError(f"there is no list at {feed.entries}")
    return found


def receipts(found: Sequence[Any], feed: HttpFeed, section: SmsHttp) -> list[Report | Reply]:
    """Return what the entries prove; one that says nothing usable, or nothing final, is left out."""
    match feed:
        case HttpReports():
            read = [_report(entry, feed, section) for entry in found]
            return [one for one in read if one is not None]
        case HttpReplies():
            wrote = [_reply(entry, feed, section) for entry in found]
            return [one for one in wrote if one is not None]
        case _:
            return []


def _report(entry: Any, feed: HttpReports, section: SmsHttp) -> Report | None:
    status = _at(entry, feed.status)
    failed = status in feed.failed
    attempt = _at(entry, feed.attempt)
    about = None if attempt else reference(_at(entry, feed.reference))
    if (status not in feed.delivered and not failed) or not (attempt or about):
        return None
    number = _at(entry, feed.number)
    part, parts = _count(entry, feed.part), _count(entry, feed.parts)
    known_part = part is not None and parts is not None and part <= parts
    return Report(
        channel=NAME,
        attempt=attempt or None,
        evidence=Evidence.NONE if failed else Evidence.DELIVERED,
        failed=failed,
        part=part if known_part else None,
        parts=parts if known_part else None,
        reason=f"{status} {_at(entry, feed.reason) or ''}".strip() if failed else None,
        at=_moment(_at(entry, feed.at), feed),
        raw=_raw(entry),
        reference=about,
        address=address(number, section) if number and _shared(section) else None,
    )


def _shared(section: SmsHttp) -> bool:
    """Say whether one reference stands for several numbers; only then a number is needed, which may be written in any way."""
    return section.batch > 1 and section.answer.result.reference is None


def _reply(entry: Any, feed: HttpReplies, section: SmsHttp) -> Reply | None:
    number, text = _at(entry, feed.number), _at(entry, feed.text)
    if not number or text is None:
        return None
    return Reply(NAME, address(number, section), text, at=_moment(_at(entry, feed.at), feed), raw=_raw(entry))


def _at(entry: Any, pointer: str | None) -> str | None:
    told = None if pointer is None else word(point(entry, pointer))
    return None if told is None else storable(told)


def _count(entry: Any, pointer: str | None) -> int | None:
    told = _at(entry, pointer)
    if not told or len(told) > _DIGITS_MAX or not (told.isascii() and told.isdigit()):
        return None
    return int(told) if 1 <= int(told) <= 255 else None  # noqa: PLR2004 - TS 23.040 counts parts in an octet


def _moment(told: str | None, feed: HttpFeed) -> datetime | None:
    """Return a time as aware UTC; None for one that cannot be read, for the report proves what it proves without it."""
    if not told:
        return None
    try:
        match feed.at_format:
            case "unix_s":
                return datetime.fromtimestamp(float(told), UTC)
            case "unix_ms":
                return datetime.fromtimestamp(float(told) / 1000, UTC)
            case "iso":
                moment = datetime.fromisoformat(told)
            case pattern:
                moment = datetime.strptime(told, pattern)  # noqa: DTZ007 - the zone is added below
        return (moment if moment.tzinfo else moment.replace(tzinfo=feed.zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _raw(entry: Any) -> str:
    return storable(json.dumps(entry, ensure_ascii=False)[:_RAW_MAX])
