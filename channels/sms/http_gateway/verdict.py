"""Reads a gateway's answer to a call: which numbers it took, which not, and why. Pure; never guesses that something was taken."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from channels.sms.http_gateway.fates import fate_of
from channels.sms.http_gateway.numbers import address
from warnd.channel import Accepted, Failed, Outcome, Unknown
from warnd.settings.sections.sms_http import Fate, SmsHttp
from warnd.settings.sections.sms_http_feeds import HttpWord
from warnd.settings.sections.sms_http_words import point, word

_REASON_MAX = 120
_VALUE_MAX = 4000  # Characters of one value; the longest text that phones send has 1,530.
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        retry_after_s: As the gateway asked, or None.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a call.

    Attributes:
        outcomes: One for each number of the call, in their order.
        refused_whole: The gateway refused the call as one, so a single number may have spoilt it for all.
    """

    outcomes: list[Outcome]
    refused_whole: bool = False


def reference(told: str | None) -> str | None:
    """Return a gateway's own id as a reference of this channel, or None."""
    return f"http:{storable(told)}" if told else None


def storable(told: str) -> str:
    """Return a text without what JSON can say and no store can keep: halves of surrogate pairs, zeros, and no longer than texts are."""
    return told[:_VALUE_MAX].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Reader:
    """Reads one answer in the way that the settings describe."""

    def __init__(self, answer: Answer, description: HttpWord, *, encoding: str) -> None:
        self._description = description
        text = answer.body.decode(encoding, "replace")
        self._text = text
        self.document: Any = None
        if description.format == "json":
            try:
                self.document = json.loads(text)
            except (ValueError, RecursionError):
                self.document = None

    def at(self, place: str | None) -> str | None:
        """Return the word that stands at a place, or None."""
        if place is None:
            return None
        if self._description.format == "json":
            return word(point(self.document, place))
        found = re.search(place, self._text)
        return None if found is None or found[1] is None else found[1].strip()


def judge(answer: Answer, addresses: Sequence[str], section: SmsHttp) -> Verdict:
    """Return what the answer says of each number of the call."""
    description = section.answer
    reader = Reader(answer, description, encoding=section.encoding)
    code = reader.at(description.code)
    reason = _reason(code or f"HTTP {answer.status}", reader.at(description.reason))
    taken = answer.status in description.statuses and (description.code is None or code in description.success)
    if taken and description.results is not None:
        return Verdict(_by_number(reader, addresses, section, answer))
    if taken:
        return Verdict([Accepted(reference(reader.at(description.reference)))] * len(addresses))
    outcome = _outcome(_fate(answer, code, section), reason, section, answer)
    return Verdict(
        [outcome] * len(addresses), refused_whole=isinstance(outcome, Failed) and outcome.retry == "permanent"
    )


def _fate(answer: Answer, code: str | None, section: SmsHttp) -> Fate:
    """Return what a call that was not taken means: the gateway's own code says more than its HTTP status."""
    if code is not None and code in section.codes:
        return section.codes[code]
    if answer.status not in section.answer.statuses:
        return fate_of(answer.status, told_to_wait=answer.retry_after_s is not None)
    if code is None:
        _log.error("sms_http_answer_not_understood", status=answer.status, bytes=len(answer.body))
        return "ambiguous"
    _log.error("sms_http_unknown_code", code=code[:_REASON_MAX], taken_as=section.other_codes)
    return section.other_codes


def _by_number(reader: Reader, addresses: Sequence[str], section: SmsHttp, answer: Answer) -> list[Outcome]:
    description = section.answer
    assert description.results is not None
    listed = point(reader.document, description.results)
    if not isinstance(listed, list) and not (listed is None and description.unlisted == "accepted"):
        _log.error("sms_http_answer_not_understood", status=answer.status, bytes=len(answer.body))
        return [Unknown("the answer has no list of results")] * len(addresses)
    whole = reader.at(description.reference)
    results = {
        address(number, section): entry
        for entry in listed or ()
        if description.result.number is not None
        and (number := word(point(entry, description.result.number))) is not None
    }
    return [_of_number(results.get(one), section, answer, whole=whole) for one in addresses]


def _of_number(entry: Any, section: SmsHttp, answer: Answer, *, whole: str | None) -> Outcome:
    description, where = section.answer, section.answer.result
    if entry is None:
        if description.unlisted == "accepted":
            return Accepted(reference(whole))
        return Unknown("the answer does not name this number")
    code = None if where.code is None else word(point(entry, where.code))
    told = None if where.reason is None else word(point(entry, where.reason))
    if code is not None and code in description.success:
        own = None if where.reference is None else word(point(entry, where.reference))
        return Accepted(reference(own or whole))
    if where.code is not None and code is None:
        return Unknown("the answer has no code for this number")
    if code is not None and code not in section.codes:
        _log.error("sms_http_unknown_code", code=code[:_REASON_MAX], taken_as=section.other_codes)
    fate = section.other_codes if code is None else section.codes.get(code, section.other_codes)
    return _outcome(fate, _reason(code or "refused", told), section, answer)


def _outcome(fate: Fate, reason: str, section: SmsHttp, answer: Answer) -> Outcome:
    match fate:
        case "ambiguous":
            return Unknown(reason)
        case "throttled":
            wait_s = section.throttled_s if answer.retry_after_s is None else answer.retry_after_s
            return Failed(reason, retry="throttled", retry_after_s=wait_s)
        case _:
            return Failed(reason, retry=fate, retry_after_s=answer.retry_after_s)


def _reason(code: str, told: str | None) -> str:
    """Return a code with the gateway's words, short and on one line."""
    said = " ".join(f"{code} {told or ''}".split())
    return "".join(character for character in said if character.isprintable())[:_REASON_MAX]
