"""Runs the real command line in this process and returns what a shell would see."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from warnd.cli import main


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of one command."""

    code: int
    out: str
    err: str


def run(*words: str, **environ: str) -> Ran:
    """Run `warnd WORDS…` with these environment variables on top of the process's own."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        patch.object(sys, "argv", ["warnd", *words]),
        patch.dict("os.environ", environ),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Ran(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())
