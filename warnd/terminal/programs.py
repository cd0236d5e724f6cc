"""Runs the programs that make sound, each with a limit on its time, none left behind."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress


class ProgramFailedError(Exception):
    """A program did not do its work; the text says which and why."""


async def run_program(words: Sequence[str], given: bytes, *, timeout_s: float) -> bytes:
    """Run a program with `given` on its standard input and return its standard output.

    Cancelling this kills the program: a voice must fall silent at once.

    Raises:
        ProgramFailedError: It cannot be started, ends badly, or takes longer than `timeout_s`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise ProgramFailedError(f"{words[0]} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_s):
            out, complaint = await process.communicate(given)
    except TimeoutError as error:
        raise ProgramFailedError(f"{words[0]} took longer than {timeout_s:.0f} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            # Not `wait`: it never returns while a pipe is full that nobody empties, and the loudspeaker would be silent from then on.
            await process.communicate()
    if process.returncode != 0:
        raise ProgramFailedError(
            f"{words[0]} ended with {process.returncode}: {complaint.decode(errors='replace').strip()[:200]}"
        )
    return out
