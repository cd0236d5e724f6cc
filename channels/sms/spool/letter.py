"""One file of `in/`: what a gateway bridge says about a text, or what a person answered. Whatever else stands there is refused."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from warnd.channel import Reply, Report
from warnd.model.cap.times import UnreadableTimeError, read_time
from warnd.model.evidence import Evidence
from warnd.model.reason import shorten
from warnd.model.sms import PARTS_MAX

BYTES_MAX = 64 * 1024

ATTEMPT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
"""What an attempt's id may look like: it is a file name, so it cannot lead out of its folder."""

_EVIDENCE = {"delivered": Evidence.DELIVERED, "failed": Evidence.NONE}
_ADDRESS_MAX = 64
_RAW_MAX = 1_000
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and half characters, which no ledger and no terminal can keep.


class BadLetterError(ValueError):
    """The file says nothing that can be used; the message tells what is wrong and what to write."""


def read_letter(raw: bytes) -> Report | Reply:
    """Return what the file says.

    Raises:
        BadLetterError: It is neither a report nor a reply.
    """
    text = _text(raw)
    document = _object(text)
    if ("attempt" in document) == ("from" in document):
        _refuse('It must have either "attempt" (a report) or "from" (a reply).')
    read = _report if "attempt" in document else _reply
    return read(document, raw=text[:_RAW_MAX])


def _text(raw: bytes) -> str:
    if len(raw) > BYTES_MAX:
        _refuse(f"It is larger than {BYTES_MAX} bytes; a report or a reply takes some hundred.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(f"It is not UTF-8 (byte {error.start}); write UTF-8.")


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except BadLetterError:
        raise  # From the two hooks; it is a ValueError, too.
    except (ValueError, RecursionError) as error:
        _refuse(f"It is not JSON ({error}); write one object, whole, under another name, then rename it.")
    if not isinstance(document, dict):
        _refuse("It is JSON, but no object; write {…}.")
    return document


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no JSON value.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: two readers would take it for two different things."""
    document = dict(pairs)
    if len(document) < len(pairs):
        _refuse("A key stands twice; write each once.")
    return document


def _report(document: Mapping[str, Any], *, raw: str) -> Report:
    attempt, status = document["attempt"], document.get("status")
    if not isinstance(attempt, str) or not ATTEMPT.fullmatch(attempt):
        _refuse(f'"attempt" is {_quoted(attempt)}; copy it from the file in out/.')
    if not isinstance(status, str) or status not in _EVIDENCE:
        _refuse(f'"status" is {_quoted(status)}; write "delivered" or "failed".')
    part, parts = _part(document)
    return Report(
        channel="sms",
        attempt=attempt,
        evidence=_EVIDENCE[status],
        failed=status == "failed",
        part=part,
        parts=parts,
        reason=_optional(document, "reason"),
        at=_at(document),
        raw=_keepable(raw),
    )


def _part(document: Mapping[str, Any]) -> tuple[int, int] | tuple[None, None]:
    part, parts = document.get("part"), document.get("parts")
    if part is None and parts is None:
        return None, None
    if type(part) is not int or type(parts) is not int or not 1 <= part <= parts <= PARTS_MAX:
        cause = f'"part" is {_quoted(part)} and "parts" is {_quoted(parts)}'
        _refuse(f"{cause}; write whole numbers, 1 ≤ part ≤ parts ≤ {PARTS_MAX}, or neither.")
    return part, parts


def _reply(document: Mapping[str, Any], *, raw: str) -> Reply:
    address, text = document["from"], document.get("text")
    if not isinstance(address, str) or not 0 < len(address.strip()) <= _ADDRESS_MAX or _UNKEEPABLE.search(address):
        _refuse(f'"from" is {_quoted(address)}; write the phone number as in "to".')
    if not isinstance(text, str):
        _refuse(f'"text" is {_quoted(text)}; write what the person answered.')
    return Reply(channel="sms", address=address.strip(), text=_keepable(text), at=_at(document), raw=_keepable(raw))


def _at(document: Mapping[str, Any]) -> datetime | None:
    at = document.get("at")
    if at is None:
        return None
    try:
        moment, zoned = read_time(at) if isinstance(at, str) else (None, False)
    except UnreadableTimeError:
        moment, zoned = None, False
    if moment is None or not zoned:
        _refuse(f'"at" is {_quoted(at)}; write a time with its zone like "2026-07-03T07:30:00Z", or leave it out.')
    return moment.astimezone(UTC)


def _optional(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return shorten(_keepable(value)) if isinstance(value, str) else None


def _keepable(text: str) -> str:
    return _UNKEEPABLE.sub("\ufffd", text)


def _quoted(value: object) -> str:
    return "missing" if value is None else shorten(_keepable(repr(value)))


def _refuse(cause: str) -> NoReturn:
    raise BadLetterError(cause)
