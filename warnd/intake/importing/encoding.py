"""Which encoding a text file is in: UTF-8, or what spreadsheets in China write. Never guesses between the two."""

import codecs
from pathlib import Path

from warnd.intake.importing.problem import Unreadable

_BLOCK = 1 << 20
_CERTAIN = 24  # So many bytes beyond ASCII never decode as UTF-8 by accident: a later bad byte is damage.
_FIX = "Save the file as UTF-8 (in Excel: CSV UTF-8)."
_SIGNS = {
    b"PK\x03\x04": "this is a workbook or a zip file",
    b"\xd0\xcf\x11\xe0": "this is an old Excel workbook",
    b"\xff\xfe": "this is UTF-16 text",
    b"\xfe\xff": "this is UTF-16 text",
}


def find_encoding(path: Path) -> str:
    """Return "utf-8-sig" (with or without the mark) or "gb18030".

    Raises:
        OSError: The file cannot be read.
        Unreadable: It is neither, or no text at all.
    """
    with path.open("rb") as file:
        head = file.read(4)
    for sign, what in _SIGNS.items():
        if head.startswith(sign):
            raise Unreadable(line=1, cause=what, fix=_FIX)
    bad_line, certain = _first_bad_line(path, "utf-8")
    if bad_line is None:
        return "utf-8-sig"
    if not certain and _first_bad_line(path, "gb18030")[0] is None:
        return "gb18030"
    found = "the text up to here is UTF-8, this line is not" if certain else "the text is neither UTF-8 nor GB18030"
    raise Unreadable(line=bad_line, cause=found, fix=_FIX)


def _first_bad_line(path: Path, encoding: str) -> tuple[int | None, bool]:
    """Return the first line that does not decode, and whether enough decoded before to be certain of the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, wide = 1, 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            if b"\0" in block:
                line += block.count(b"\n", 0, block.index(b"\0"))
                raise Unreadable(line=line, cause="there is a zero byte: this is no text file", fix=_FIX)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                good = error.object[: error.start]
                wide += sum(byte > 0x7F for byte in good)  # noqa: PLR2004 - beyond ASCII
                return line + good.count(b"\n"), wide >= _CERTAIN
            if not block:
                return None, True
            if wide < _CERTAIN:  # Counting on would cost more than decoding.
                wide += len(text.encode()) - len(text)
            line += text.count("\n")
