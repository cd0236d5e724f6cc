"""Runs the programs that make sound, each with a limit on its time, none left behind."""

import asyncio
import subprocess
from collections.abc import Sequence
from typing import Final

KILLED_S: Final = 2.0  # For a killed program to be gone; one that cannot die holds up nobody longer.


class ProgramFailedError(Exception):
    """A program did not do its work; the text says which and why."""


async def run_program(words: Sequence[str], given: bytes, *, timeout_s: float) -> bytes:
    """Run a program with `given` on its standard input and return its standard output.

    Cancelling this kills the program: a voice must fall silent at once.

    Raises:
        ProgramFailedError: It cannot be started, ends badly, or takes longer than `timeout_s`.
    """
    process = _started(words)
    # A thread empties the pipes. asyncio's own processes cannot be ended safely: a stop that came while espeak-ng handed over its
    # sound left the loudspeaker waiting for ever, because `wait` there does not return while a pipe is full.
    talk = asyncio.get_running_loop().run_in_executor(None, process.communicate, given)
    try:
        async with asyncio.timeout(timeout_s):
            out, complaint = await asyncio.shield(talk)
    except TimeoutError as error:
        raise ProgramFailedError(f"{words[0]} took longer than {timeout_s:.0f} s") from error
    finally:
        if not talk.done():
            process.kill()
            await asyncio.wait([talk], timeout=KILLED_S)
    if process.returncode != 0:
        raise ProgramFailedError(
            f"{words[0]} ended with {process.returncode}: {complaint.decode(errors='replace').strip()[:200]}"
        )
    return out


def _started(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - fixed programs
    except OSError as error:
        raise ProgramFailedError(f"{words[0]} cannot be started: {error.strerror}") from error
