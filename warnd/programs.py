"""Runs small programs that make or play sound, each with a limit on its time and on what it says, none left behind."""

import asyncio
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

KILLED_S: Final = 2.0  # For a killed program to be gone; one that cannot die holds up nobody longer.
OUTPUT_MAX_BYTES: Final = 64 * 1024 * 1024  # 25 minutes of WAV as espeak-ng writes it.
_COMPLAINT_BYTES: Final = 2048
_CHUNK: Final = 64 * 1024


class ProgramFailedError(Exception):
    """A program did not do its work; the text says which and why."""


async def run_program(
    words: Sequence[str], given: bytes, *, timeout_s: float, output_max_bytes: int = OUTPUT_MAX_BYTES
) -> bytes:
    """Run a program with `given` on its standard input and return its standard output.

    Cancelling this kills the program and whatever it started: a voice must fall silent at once.

    Raises:
        ProgramFailedError: It cannot be started, ends badly, writes more than `output_max_bytes`, or takes longer than `timeout_s`.
    """
    process = _started(words)
    # A thread empties the pipes. asyncio's own processes cannot be ended safely: a stop that came while espeak-ng handed over its
    # sound left the loudspeaker waiting for ever, because `wait` there does not return while a pipe is full.
    talk = asyncio.get_running_loop().run_in_executor(None, _talk, process, given, output_max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            out, complaint = await asyncio.shield(talk)
    except TimeoutError as error:
        raise ProgramFailedError(f"{words[0]} took longer than {timeout_s:.0f} s") from error
    finally:
        if not talk.done():
            _kill(process)
            await asyncio.wait([talk], timeout=KILLED_S)
    if len(out) > output_max_bytes:
        raise ProgramFailedError(f"{words[0]} wrote more than {output_max_bytes} bytes")
    if process.returncode != 0:
        raise ProgramFailedError(
            f"{words[0]} ended with {process.returncode}: {complaint.decode(errors='replace').strip()[:200]}"
        )
    return out


def _started(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - a program that the operator or this package names; nothing of a warning is in the words
            words,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # A group of its own, so that a script's children end with it.
        )
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ProgramFailedError(f"{words[0]} cannot be started: {cause}") from error


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _talk(process: "subprocess.Popen[bytes]", given: bytes, most: int) -> tuple[bytes, bytes]:
    """Feed and empty the pipes until both outputs end; return them, the first cut soon after `most`."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    out, complaint, left = bytearray(), bytearray(), memoryview(given)
    with selectors.DefaultSelector() as ready, process.stdin, process.stdout, process.stderr:
        for pipe, kind in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(pipe.fileno(), False)
            ready.register(pipe, kind)
        waiting = ready.get_map()
        while process.stdout in waiting or process.stderr in waiting:
            for key, _ in ready.select():
                if key.fileobj is process.stdin:
                    left = _feed(ready, process.stdin, left)
                elif key.fileobj is process.stdout:
                    out += _drained(ready, process.stdout)
                else:
                    complaint += _drained(ready, process.stderr)
                    del complaint[:-_COMPLAINT_BYTES]
            if len(out) > most:
                _kill(process)
                break
    process.wait()
    return bytes(out), bytes(complaint)


def _feed(ready: selectors.BaseSelector, pipe: IO[bytes], left: memoryview) -> memoryview:
    """Write what the pipe takes; close it after the last byte, or when nobody reads any more."""
    try:
        left = left[os.write(pipe.fileno(), left[:_CHUNK]) :]
    except BlockingIOError:
        return left
    except OSError:
        left = left[len(left) :]
    if not left:
        ready.unregister(pipe)
        pipe.close()
    return left


def _drained(ready: selectors.BaseSelector, pipe: IO[bytes]) -> bytes:
    try:
        found = os.read(pipe.fileno(), _CHUNK)
    except BlockingIOError:
        return b""
    if not found:
        ready.unregister(pipe)
    return found
