"""Where a command's words go: results to stdout, complaints to stderr, documents of the daemon untouched."""

import sys
from typing import Annotated

import typer

from warnd.cli.client import Answer, exit_code

AsJson = Annotated[bool, typer.Option("--json", help="Print the daemon's document unchanged.")]


def say(*lines: str) -> None:
    """Print lines to stdout."""
    for line in lines:
        sys.stdout.write(f"{line}\n")


def warn(*lines: str) -> None:
    """Print lines to stderr."""
    for line in lines:
        sys.stderr.write(f"{line}\n")


def hand_over(answer: Answer, *, code: int | None = None) -> None:
    """Print the document as it came and leave, with `code` or with what the answer's status means."""
    sys.stdout.write(answer.text if answer.text.endswith("\n") else f"{answer.text}\n")
    raise typer.Exit(exit_code(answer) if code is None else code)
