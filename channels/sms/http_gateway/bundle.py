"""Decides which tries go together in one call. Pure."""

from collections.abc import Iterable
from typing import TypeAlias

from warnd.channel import Outgoing
from warnd.settings.sections.sms_http import SmsHttp
from warnd.settings.sections.sms_http_words import names_in, templates_in

Try: TypeAlias = tuple[int, Outgoing]
"""A try with its index in the batch."""


def bundles(tries: Iterable[Try], section: SmsHttp) -> list[tuple[Try, ...]]:
    """Return the calls in order: one message, one text unless each number carries its own, no number twice, at most `batch`.

    A number stands once in a call because answers name results by number: two people may share one phone.
    """
    shared = [template for _, template in templates_in(section.fields, "")] + [
        made.of for made in section.derived.values()
    ]
    own_text = section.each is not None and not any("text" in names_in(template) for template in shared)
    open_calls: dict[tuple[str, str], list[Try]] = {}
    full: list[list[Try]] = []
    for index, outgoing in tries:
        key = (outgoing.message.id, "" if own_text else outgoing.texts[0].text)
        call = open_calls.get(key)
        if call is None or len(call) >= section.batch or any(one.address == outgoing.address for _, one in call):
            call = open_calls[key] = []
            full.append(call)
        call.append((index, outgoing))
    return [tuple(call) for call in full]
