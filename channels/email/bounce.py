"""Reads what comes back by mail: delivery reports (RFC 3464), answers from machines, answers from people, rubbish.

Anybody can write to the address that bounces go to, so a report is believed only with one of our tokens. Never raises: whatever
is no mail is rubbish.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Literal

import structlog

from channels.email.codes import anonymous, lost_for_good
from channels.email.verp import Tokens
from warnd.channel import Receipt, Reply, Report
from warnd.model.evidence import Evidence

CHANNEL = "email"
_log = structlog.get_logger(__name__)
_LINES, _TEXT_MAX, _REASON_MAX, _RAW_MAX = 5, 500, 160, 400
_BOUNDARIES_MAX = (
    30  # Each line is compared with all that are open: five hundred in one mail take seconds, thirty nothing.
)
_ADDRESSED = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Original-Recipient", "To", "Cc")
_TAGGED = re.compile(r"\+([A-Za-z0-9_-]{1,40}\.[A-Za-z2-7]{16})@")
_REFERRED = re.compile(r"<([A-Za-z0-9_-]{1,40}\.[A-Za-z2-7]{16})@[^<>\s]+>")
_MACHINES = ("X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Failed-Recipients", "List-Id")
_BULK = {"bulk", "junk", "list", "auto_reply", "auto-reply"}
_QUOTED = re.compile(r"^\s*(>|-{2,}|_{5,}|(On|在|于)\s.*(wrote|写道)\s*[:：]|(From|发件人)\s*[:：])")


@dataclass(frozen=True, slots=True)
class Mail:
    """What one mail turned out to be.

    Attributes:
        kind: A "report" may go once its receipts are committed, so may "noise"; an "answer" is kept for people to read, and so
            is "rubbish".
    """

    kind: Literal["report", "answer", "noise", "rubbish"]
    receipts: tuple[Receipt, ...] = ()


def read(raw: bytes, tokens: Tokens, *, own: frozenset[str] = frozenset()) -> Mail:
    """Return what a mail is.

    Args:
        raw: The mail, perhaps cut off at its end.
        tokens: Tells our tokens.
        own: Our own addresses, in lower case: mail from them is noise.
    """
    if raw.lower().count(b"boundary") > _BOUNDARIES_MAX:
        return Mail("rubbish")
    try:
        return _read(message_from_bytes(raw), tokens, own)
    except Exception as error:  # noqa: BLE001 - the edge to strangers' mail: the library's parser breaks on some in ever new ways
        _log.info("email_not_understood", error=type(error).__name__)
        return Mail("rubbish")


def _read(mail: Message, tokens: Tokens, own: frozenset[str]) -> Mail:
    status = _part(mail, "message/delivery-status")
    if status is not None:
        return _report(mail, status, tokens)
    if _by_machine(mail):
        return Mail("noise")
    address = parseaddr(_header(mail, "From"))[1]
    if address.lower() in own:
        return Mail("noise")
    words = _first_lines(mail)
    # A character set that a header names may bring halves of surrogate pairs, which no store keeps: its mail would stay for ever.
    if "@" not in address or not address.isprintable() or not words or _header(mail, "Return-Path").strip() == "<>":
        return Mail("rubbish")
    # With its subject no answer is a bare "1", "ok" or "stop": anybody can write such a mail in another's name, so it settles nothing.
    text = f"Subject: {_one_line(_header(mail, 'Subject'))}\n{words}"[:_TEXT_MAX]
    return Mail("answer", (Reply(CHANNEL, address=address, text=text, at=_moment(_header(mail, "Date"))),))


def _report(mail: Message, status: Message, tokens: Tokens) -> Mail:
    blocks = [each for each in status.get_payload() if isinstance(each, Message)] if status.is_multipart() else []
    token = next((each for each in _candidates(mail, blocks) if tokens.attempt(each)), None)
    attempt = tokens.attempt(token) if token else None
    if attempt is None:
        return Mail("rubbish")
    reports = [_about(attempt, block, mail) for block in blocks if "Action" in block]
    found = tuple(dict.fromkeys(each for each in reports if each is not None))
    return Mail("report", found) if found else Mail("rubbish")


def _candidates(mail: Message, blocks: list[Message]) -> Iterator[str]:
    """Yield what may be our token, the likeliest first: the address it came to, the envelope id, the Message-ID sent back."""
    for name in _ADDRESSED:
        for value in mail.get_all(name, ()):
            yield from (found.lower() for found in _TAGGED.findall(str(value)))
    for block in blocks:
        yield str(block.get("Original-Envelope-Id", "")).strip()
    for kind in ("message/rfc822", "text/rfc822-headers"):
        returned = _part(mail, kind)
        if returned is not None:
            yield from _REFERRED.findall(_sent_back(returned))


def _sent_back(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload else None
        return str(inner.get("Message-ID", "")) if isinstance(inner, Message) else ""
    headers = message_from_bytes(_bytes(part))
    return str(headers.get("Message-ID", ""))


def _about(attempt: str, block: Message, mail: Message) -> Report | None:
    action = str(block["Action"]).split(";")[0].strip().lower()
    diagnostic = str(block.get("Diagnostic-Code", "")).rpartition(";")[2]
    said = anonymous(f"{block.get('Status', '')} {diagnostic}")
    at = _moment(str(block.get("Last-Attempt-Date", ""))) or _moment(_header(mail, "Date"))
    raw = f"{action} {said}"[:_RAW_MAX]
    match action:
        case "failed":
            why = said[:_REASON_MAX] or "returned"
            dead = lost_for_good(str(block.get("Status", "")))
            return Report(CHANNEL, attempt, Evidence.NONE, failed=True, permanent=dead, reason=why, at=at, raw=raw)
        case "delivered":
            return Report(CHANNEL, attempt=attempt, evidence=Evidence.DELIVERED, at=at, raw=raw)
        case "delayed" | "relayed" | "expanded":  # It is on its way, and proves no more than that it was taken.
            why = raw[:_REASON_MAX]
            return Report(CHANNEL, attempt=attempt, evidence=Evidence.ACCEPTED, reason=why, at=at, raw=raw)
    return None


def _by_machine(mail: Message) -> bool:
    """Say whether no person wrote it (RFC 3834 §2)."""
    submitted = _header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in {"", "no"} or any(name in mail for name in _MACHINES):
        return True
    return _header(mail, "Precedence").strip().lower() in _BULK or mail.get_content_type() == "multipart/report"


def _first_lines(mail: Message) -> str:
    """Return what a person wrote above what they quote, at most a few lines of it."""
    part = _part(mail, "text/plain")
    if part is None:
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        text = _bytes(part).decode(charset, "replace")
    except LookupError:
        text = _bytes(part).decode("utf-8", "replace")
    lines: list[str] = []
    for line in text.splitlines():
        if _QUOTED.match(line) or len(lines) == _LINES:
            break
        shown = _one_line(line)
        lines += [shown] if shown else []
    return "\n".join(lines)


def _one_line(value: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in value).split())


def _part(mail: Message, kind: str) -> Message | None:
    for part in mail.walk():
        if part.get_content_type() == kind:
            return part
        if part.get_content_type() == "message/rfc822" and part is not mail:
            break  # What stands inside of a mail sent back is our own words.
    return None


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(mail: Message, name: str) -> str:
    return str(make_header(decode_header(str(mail.get(name, "")))))


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
