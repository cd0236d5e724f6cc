"""Short messages as the phone network counts them, and what people answer to them. Nothing here sends or decides who is meant.

Counting follows 3GPP TS 23.038 (alphabets) and 3GPP TS 23.040 §9.2.3.24.1 (concatenation): a part of a long message loses six octets
to its header, which leaves 153 of 160 seven-bit characters or 67 of 70 UCS-2 units.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Alphabet = Literal["gsm7", "ucs2"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # Sent as an escape and a character: two units that belong together.
_GSM7 = _BASIC | _EXTENDED

_WHOLE: dict[Alphabet, int] = {"gsm7": 160, "ucs2": 70}
_PART: dict[Alphabet, int] = {"gsm7": 153, "ucs2": 67}

PARTS_MAX = 255
"""The concatenation header counts parts in one octet."""

REPLY_LENGTH_MAX = 40
"""Characters; whoever writes more is telling something, and it is for a human to read."""


def alphabet(text: str) -> Alphabet:
    """Return the alphabet the text goes out in: one character outside GSM 7 bit makes the whole of it UCS-2."""
    return "gsm7" if _GSM7.issuperset(text) else "ucs2"


def part_size(text: str) -> int:
    """Return how many units each part of a long text in this text's alphabet holds: 153 or 67."""
    return _PART[alphabet(text)]


def units(text: str, *, ucs2: bool | None = None) -> int:
    """Return the length of the text in units of its alphabet, or of UCS-2 if `ucs2` is True, of GSM 7 bit if it is False."""
    wide = alphabet(text) == "ucs2" if ucs2 is None else ucs2
    return sum(_width(character, wide=wide) for character in text)


def segments(text: str) -> int:
    """Return how many parts the text costs, 1 or more, with the signature and all marks that it contains."""
    which = alphabet(text)
    length = units(text, ucs2=which == "ucs2")
    if length <= _WHOLE[which]:
        return 1
    if length == len(text):  # Every character is one unit wide, so parts are filled to the brim.
        return -(-length // _PART[which])
    return len(split(text))


def split(text: str) -> tuple[str, ...]:
    """Return the text's parts in order; a surrogate pair or an escaped character is never torn apart."""
    which = alphabet(text)
    widths = [_width(character, wide=which == "ucs2") for character in text]
    if sum(widths) <= _WHOLE[which]:
        return (text,)
    ends = list(accumulate(widths))
    parts: list[str] = []
    start, used = 0, 0
    for place, end in enumerate(ends):
        if end - used > _PART[which]:
            parts.append(text[start:place])
            start, used = place, end - widths[place]
    return (*parts, text[start:])


def _width(character: str, *, wide: bool) -> int:
    if wide:
        return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004 - beyond the basic plane UTF-16 takes a pair
    return 2 if character in _EXTENDED else 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says. At most one of the four is set; with none set a human has to read it.

    Attributes:
        digit: 1–9: the message it answers.
        bare_ok: It says yes without saying to what; counts only where exactly one message is open.
        stop: It asks for no more messages.
        start: It asks for messages again.
    """

    digit: int | None = None
    bare_ok: bool = False
    stop: bool = False
    start: bool = False


_DIGIT = re.compile(r"(?:回复|回|reply)?\s*([1-9])\s*(?:确认|收到|已收到|好的?|to confirm|confirm|confirmed|ok|yes)?")
_OK = re.compile(r"(?:(?:我?已?收到了?|好的?|我?已?确认了?|okay|ok|yes|confirmed|confirm|received)\s*)+")
_STOP = re.compile(r"stop|stop ?all|opt ?out|quit|unsubscribe|td|退订|拒收|回复td|回复退订")
_START = re.compile(r"start|unstop|resubscribe|恢复|恢复接收|回复恢复|重新订阅")
_EDGES = " \t\r\n.。,，、!！;；:：~～…'\"‘’“”()（）[]【】<>《》-—_*#"


def parse_reply(text: str) -> Answer:
    """Read a person's answer; case, full width and punctuation do not matter, and nothing is guessed.

    "1", "１。" and "回复1确认" name a digit, 收到 and ok do not; "11", "1 2" and "没收到" say none of it.
    """
    if len(text) > REPLY_LENGTH_MAX * 4:
        return Answer()
    plain = unicodedata.normalize("NFKC", text).casefold().strip(_EDGES)
    if len(plain) > REPLY_LENGTH_MAX:
        return Answer()
    if found := _DIGIT.fullmatch(plain):
        return Answer(digit=int(found[1]))
    words = " ".join(re.split(rf"[{re.escape(_EDGES)}]+", plain))
    if _STOP.fullmatch(words):
        return Answer(stop=True)
    if _START.fullmatch(words):
        return Answer(start=True)
    return Answer(bare_ok=_OK.fullmatch(words) is not None)
