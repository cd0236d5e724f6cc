"""Texts as SMPP carries them: the GSM alphabet or UCS-2, split with a header that phones join by, and the times of a text's life. Pure.

Sources: 3GPP TS 23.038 (alphabets), TS 23.040 §9.2.3.24.1 (concatenation, 8-bit reference), SMPP 3.4 §5.2.19 and §7.1.1.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from warnd.model.sms import PARTS_MAX, alphabet, split

UCS2 = 8
_HEADER_FOLLOWS = 0x40  # esm_class: the text begins with a user data header (SMPP 3.4 §5.2.12).
_ESCAPE = 0x1B
_LIFE_MAX = timedelta(days=30)  # Two digits of days; no network keeps a text longer.

# TS 23.038 §6.2.1: a character's place is its code. The escape's own place holds a character that no text has.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_CODES = {character: bytes([code]) for code, character in enumerate(_BASIC) if code != _ESCAPE} | {
    character: bytes([_ESCAPE, code]) for character, code in _EXTENDED.items()
}
_LETTERS = {code: character for character, code in _EXTENDED.items()}


class TooLongError(Exception):
    """The text needs more parts than a header can count."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a text, as submitted.

    Attributes:
        number, count: From 1.
    """

    number: int
    count: int
    body: bytes
    data_coding: int
    esm_class: int


def parts_of(text: str, *, reference: int, gsm_data_coding: int) -> tuple[Part, ...]:
    """Return the parts of a text.

    Args:
        text: Whole.
        reference: 0 to 255, the same for all parts and another for the next long text to that phone.
        gsm_data_coding: What the message centre calls its GSM alphabet; one octet carries one character there.

    Raises:
        TooLongError: See there.
    """
    pieces = split(text)
    if len(pieces) > PARTS_MAX:
        raise TooLongError(f"it makes {len(pieces)} parts; {PARTS_MAX} can be counted")
    gsm7 = alphabet(text) == "gsm7"
    coding = gsm_data_coding if gsm7 else UCS2
    count = len(pieces)
    return tuple(
        Part(
            number,
            count,
            (_header(reference, count, number) if count > 1 else b"") + (gsm7_octets(piece) if gsm7 else _ucs2(piece)),
            coding,
            _HEADER_FOLLOWS if count > 1 else 0,
        )
        for number, piece in enumerate(pieces, 1)
    )


def gsm7_octets(text: str) -> bytes:
    """Return a text of the GSM alphabet, one octet for each of its codes; a character it lacks becomes "?"."""
    return b"".join(_CODES.get(character, b"?") for character in text)


def gsm7_text(octets: bytes) -> str:
    """Return the text of octets with one code each; what is no code becomes "?"."""
    letters = []
    codes = iter(octets)
    for code in codes:
        if code == _ESCAPE:
            following = next(codes, 0x20)
            letters.append(_LETTERS.get(following, _BASIC[following] if following < len(_BASIC) else "?"))
        else:
            letters.append(_BASIC[code] if code < len(_BASIC) else "?")
    return "".join(letters)


def without_header(body: bytes, esm_class: int) -> bytes:
    """Return a body without its user data header, if it has one."""
    if esm_class & _HEADER_FOLLOWS and body:
        return body[1 + body[0] :]
    return body


def text_of(body: bytes, *, data_coding: int, gsm_data_coding: int) -> str:
    """Return what a phone wrote; whatever cannot be read becomes a replacement character, for a human will look at it."""
    if data_coding == UCS2:
        return body.decode("utf-16-be", "replace")
    if data_coding in {0, gsm_data_coding}:
        return gsm7_text(body)
    return body.decode("latin-1" if data_coding == 3 else "ascii", "replace")  # noqa: PLR2004 - SMPP 3.4 §5.2.19: 3 is Latin 1


def validity(expires_at: datetime, *, now: datetime, how: str) -> str:
    """Return the validity_period of a text that dies at `expires_at`; empty where the message centre shall use its own.

    The relative form does not care whether the two clocks agree.
    """
    life = min(max(expires_at - now, timedelta(seconds=1)), _LIFE_MAX)
    match how:
        case "relative":
            seconds = int(life.total_seconds())
            return f"0000{seconds // 86400:02}{seconds // 3600 % 24:02}{seconds // 60 % 60:02}{seconds % 60:02}000R"
        case "absolute":
            return f"{now + life:%y%m%d%H%M%S}000+"  # The last three: tenths, and quarters of an hour ahead of UTC.
        case _:
            return ""


def _header(reference: int, count: int, number: int) -> bytes:
    return bytes([5, 0, 3, reference, count, number])


def _ucs2(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")
