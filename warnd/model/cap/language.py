"""Language tags as feeds write them (RFC 5646, and broadcasting's three letters), brought to one primary code."""

_TWO_LETTERS = {
    "zho": "zh",
    "chi": "zh",
    "cmn": "zh",
    "eng": "en",
    "bod": "bo",
    "tib": "bo",
    "uig": "ug",
    "mon": "mn",
    "kaz": "kk",
    "kor": "ko",
    "zha": "za",
    "iii": "ii",
}
"""ISO 639-2 and 639-3 codes of languages broadcast in China, and their ISO 639-1 form.

Cantonese (yue) stays its own: it is spoken differently.
"""


def primary_language(tag: str) -> str:
    """Return the primary subtag in lower case, in two letters where there are two: zh-CN, ZHO and cmn are zh."""
    primary = tag.strip().replace("_", "-").partition("-")[0].lower()
    return _TWO_LETTERS.get(primary, primary)
