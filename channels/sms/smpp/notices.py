"""Reads what a message centre delivers: receipts, in their text form and as optional parameters, and what people write. Pure.

Source: SMPP 3.4 §5.2.12 (esm_class), §5.2.28 (message_state), §5.3.2.12, and appendix B, whose text form is common but not standard:
every message centre writes it a little differently.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import smpp34

from channels.sms.numbers import international
from channels.sms.smpp.encode import text_of, without_header
from warnd.settings.sections.sms_smpp import SmsSmpp

_KIND = 0x3C  # Bits of esm_class that say what a deliver_sm is.
_RECEIPT = 0x04
_RAW_MAX = 200
_RECEIPTED_MESSAGE_ID, _MESSAGE_PAYLOAD, _MESSAGE_STATE = (
    0x001E,
    0x0424,
    0x0427,
)  # SMPP 3.4 §5.3.2; smpp34 names them untyped.
_LONGEST_NATIONAL = 11
_WITH_SECONDS = 12
_INTERNATIONAL, _NATIONAL = 1, 2  # Types of number, SMPP 3.4 §5.2.5.

_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
FAILURES = frozenset({"EXPIRED", "DELETED", "UNDELIV", "REJECTD"})
"""Final states in which the phone never gets it. ENROUTE, ACCEPTD and UNKNOWN are neither this nor delivered (DOMAIN §5)."""
DELIVERED = "DELIVRD"

_ID = re.compile(r"\bid:\s*([^\s]{1,65})", re.IGNORECASE)
_STATE = re.compile(r"\bstat:\s*([A-Za-z]{3,10})", re.IGNORECASE)
_DONE = re.compile(r"\bdone date:\s*(\d{10}(?:\d\d)?)\b", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*([0-9A-Za-z]{1,10})", re.IGNORECASE)

Base = Literal["same", "hex_in_answer", "decimal_in_answer"]


@dataclass(frozen=True, slots=True)
class Receipted:
    """One receipt.

    Attributes:
        message_ids: What may be its id, as answers are kept, likeliest first: some message centres convert the parameter, too.
        state: One of the words of appendix B, upper case.
        done_at: Aware UTC, if told.
    """

    message_ids: tuple[str, ...]
    state: str
    error: str | None
    done_at: datetime | None
    raw: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, and who."""

    number: str
    text: str


def read(pdu: smpp34.DeliverSm, section: SmsSmpp) -> Receipted | Written | None:
    """Return what was delivered; None for kinds that prove nothing (an intermediate notification, a phone's own acknowledgement)."""
    kind = pdu.esm_class & _KIND
    options = {option.tag: option for option in pdu.tlvs}
    payload = options.get(_MESSAGE_PAYLOAD)
    body = pdu.short_message or (payload.value if payload else b"")
    if kind == _RECEIPT:
        return _receipt(body, options, section)
    if kind == 0:
        said = without_header(body, pdu.esm_class)
        text = text_of(said, data_coding=pdu.data_coding, gsm_data_coding=section.gsm_data_coding)
        return Written(_address(pdu, section), text.replace("\0", ""))
    return None


def kept_id(told: str, base: Base) -> str:
    """Return the id in an answer as it is kept: decimal wherever bases differ."""
    match base:
        case "hex_in_answer":
            return _converted(told, 16)
        case "decimal_in_answer":
            return _converted(told, 10)
        case _:
            return told


def receipted_id(told: str, base: Base) -> str:
    """Return the id in a receipt in the form of `kept_id`."""
    match base:
        case "hex_in_answer":
            return _converted(told, 10)
        case "decimal_in_answer":
            return _converted(told, 16)
        case _:
            return told


def _receipt(body: bytes, options: dict[int, smpp34.Tlv], section: SmsSmpp) -> Receipted:
    text = body.decode("latin-1")
    option = options.get(_RECEIPTED_MESSAGE_ID)
    told, base = _plain(option.value) if option is not None else "", section.message_id_base
    found = _ID.search(text)
    # The parameter repeats the answer's id (§5.3.2.12), the text is free to write it otherwise.
    ids = [kept_id(told, base), receipted_id(told, base)] if told else []
    ids += [receipted_id(found[1], base)] if found else []
    state, error = _state(text, options), _ERROR.search(text)
    raw = "".join(character for character in text if character.isprintable()) or f"id:{told} stat:{state}"
    return Receipted(
        tuple(dict.fromkeys(ids)), state, error[1] if error else None, _done_at(text, section), raw[:_RAW_MAX]
    )


def _state(text: str, options: dict[int, smpp34.Tlv]) -> str:
    option = options.get(_MESSAGE_STATE)
    if option is not None and option.value and option.value[0] in _STATES:
        return _STATES[option.value[0]]
    found = _STATE.search(text)
    return found[1].upper() if found else "UNKNOWN"


def _done_at(text: str, section: SmsSmpp) -> datetime | None:
    """Return when it was done: YYMMDDhhmm or with seconds, on the message centre's clock."""
    found = _DONE.search(text)
    if not found:
        return None
    pattern = "%y%m%d%H%M%S" if len(found[1]) == _WITH_SECONDS else "%y%m%d%H%M"
    try:
        moment = datetime.strptime(found[1], pattern)  # noqa: DTZ007 - the zone is added below
    except ValueError:
        return None
    return moment.replace(tzinfo=section.zone).astimezone(UTC)


def _address(pdu: smpp34.DeliverSm, section: SmsSmpp) -> str:
    told = pdu.source_addr
    if pdu.source_addr_ton == _INTERNATIONAL and not told.startswith(("+", "00")):
        return f"+{told}"
    national = pdu.source_addr_ton == _NATIONAL or len(told) <= _LONGEST_NATIONAL
    return international(told, country_code=section.country_code, national=national)


def _plain(value: bytes) -> str:
    return value.split(b"\0")[0].decode("latin-1").strip()


def _converted(told: str, base: int) -> str:
    try:
        return str(int(told, base))
    except ValueError:
        return told
