"""What the demonstration shows: live on a terminal, as plain lines anywhere else."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

_PLAIN_EVERY = 10  # Of the pictures that come while nothing but numbers changes; a log wants fewer than a screen.


class Show(Protocol):
    """Where lines and the moving picture go."""

    def say(self, *lines: str) -> None:
        """Print lines that stay."""
        ...

    def picture(self, lines: Sequence[str]) -> None:
        """Replace the moving picture."""
        ...


class LiveShow:
    """The moving picture stays at the bottom of the terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def say(self, *lines: str) -> None:
        """Print lines above the picture."""
        for line in lines:
            self._live.console.print(Text(line))

    def picture(self, lines: Sequence[str]) -> None:
        """Replace the picture."""
        self._live.update(Text("\n".join(lines)), refresh=True)


class PlainShow:
    """Lines for logs and pipes: every tenth picture, if it changed."""

    def __init__(self) -> None:
        self._seen = 0
        self._last: Sequence[str] = ()

    def say(self, *lines: str) -> None:
        """Print lines."""
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def picture(self, lines: Sequence[str]) -> None:
        """Print the picture now and then."""
        self._seen += 1
        if self._seen % _PLAIN_EVERY == 1 and list(lines) != list(self._last):
            self._last = lines
            self.say(*lines)


@contextmanager
def show() -> Iterator[Show]:
    """Choose by whether somebody is looking."""
    if not sys.stdout.isatty():
        yield PlainShow()
        return
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield LiveShow(live)
