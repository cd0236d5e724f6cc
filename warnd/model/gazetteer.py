"""How places are found by their names: what a name is looked up by, and how what a visitor typed may be read. Pure."""

import re
import unicodedata
from collections.abc import Iterable

QUERY_MAX = 40  # Characters. The longest village name in the national list has 20.
_READINGS_MAX = 12
_WORDS_MAX = 6
_BREAK = re.compile(r"[\s,，、;；/·.\-‐-—]+")  # Between words of a name, and between what people put in a row.


def fold(name: str) -> str:
    """Return a name as it is compared: full width is half width, case is none, one space between words."""
    return _BREAK.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def keys(names: Iterable[str]) -> frozenset[str]:
    """Return everything by whose beginning a place with these names is found: each name, and each from its later words on."""
    found = set()
    for name in names:
        words = fold(name).split(" ")
        found |= {" ".join(words[start:]) for start in range(min(len(words), _WORDS_MAX))}
    return frozenset(found - {""})


def readings(query: str) -> list[tuple[str, str]]:
    """Return the ways to read a query, the likeliest first: (a place around it or "", the place itself), both folded.

    "Liuhe Xincun" may be one name, or Xincun in Liuhe; so may 柳河镇新村, which has no space to tell.
    """
    whole = fold(query[:QUERY_MAX])
    if not whole:
        return []
    spaces = [at for at, sign in enumerate(whole) if sign == " "]
    # Chinese is written without spaces: the break may be after any character, most likely behind a long outer name.
    breaks = spaces or [at for at in range(len(whole) - 1, 1, -1) if not whole.isascii()]
    parts = [(whole[:at].strip(), whole[at:].strip()) for at in breaks]
    return [("", whole), *parts][:_READINGS_MAX]
