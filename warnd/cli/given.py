"""What a person gives a command: warning ids and files, checked before anything is asked of the daemon."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from warnd.cli.stop import Exit, Stop

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def _checked(given: str | None) -> str | None:
    if given is not None and not _ID.fullmatch(given):
        raise typer.BadParameter(f"{given!r} is no warning id; `warnd status` lists them")
    return given


WarningId = Annotated[
    str, typer.Argument(metavar="ID", callback=_checked, help="The id that `warnd submit` and `warnd status` print.")
]
MaybeWarningId = Annotated[
    str | None, typer.Argument(metavar="[ID]", callback=_checked, help="One warning; all of them without it.")
]
CapFile = Annotated[Path, typer.Argument(metavar="FILE.xml", help="A CAP 1.1 or 1.2 document; - reads standard input.")]


def read_file(path: Path) -> bytes:
    """Return the content of a file, or of standard input for "-".

    Raises:
        Stop: It cannot be opened (3).
    """
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise Stop(f"Cannot open {path}: {error.strerror}", code=Exit.UNREACHABLE) from error
