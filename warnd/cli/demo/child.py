"""The child processes of the demonstration: started with a log each, watched, and ended by their own id."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warnd.cli.stop import Exit, Stop

_LAST_LINES = 12  # Of a log, shown when its process fails.
_START_S = 30.0
_END_S = 10.0  # DESIGN: a daemon told to stop is gone within ten seconds.
_NOTICE_S = 1.0
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Child:
    """One running process; `name` is how people call it."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def watch(self) -> None:
        """Wait for its end, which nobody asked for.

        Raises:
            Stop: It ended.
        """
        await self.process.wait()
        raise self._ended()

    async def blame(self, trouble: Stop) -> Stop:
        """Return this child's own end if it has ended: whoever talked to it may notice before it is known. Else return `trouble`."""
        try:
            async with asyncio.timeout(_NOTICE_S):
                await self.process.wait()
        except TimeoutError:
            return trouble
        return self._ended()

    def _ended(self) -> Stop:
        return self.failed(f"ended by itself with code {self.process.returncode}")

    def failed(self, what: str) -> Stop:
        """Return a failure that names the part, its log, and the end of that log."""
        return Stop(f"{self.name} {what}. Its log is {self.log}:\n{_tail(self.log)}", code=Exit.UNREACHABLE)


@contextlib.asynccontextmanager
async def running(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], Awaitable[bool]],
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Child]:
    """Run a process for as long as the block lasts, which begins once `ready` says so.

    Raises:
        Stop: The program is not there, ended at once, or is not ready within half a minute.
    """
    with log.open("wb") as out:
        try:
            # A session of its own: Ctrl-C in the terminal reaches the demonstration alone, which then ends its parts in order.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True
            )
        except OSError as error:
            raise Stop(f"{name} did not start: {command[0]}: {error.strerror}", code=Exit.UNREACHABLE) from error
    child = Child(name, process, log)
    try:
        await _wait_until_ready(child, ready)
        yield child
    finally:
        await asyncio.shield(_end(process))


async def _wait_until_ready(child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_START_S):
            while not await ready():
                if child.process.returncode is not None:
                    raise child.failed(f"did not start: it ended with code {child.process.returncode}")
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError:
        raise child.failed(f"is not ready after {_START_S:.0f} s") from None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def finished(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a short command to its end and return what it printed.

    Args:
        command: Program and arguments.
        log: Gets what it complained of; what it printed lies beside it with the suffix ".out".
        env: None = this process's own.

    Raises:
        Stop: It failed; the message has what it said.
    """
    printed = log.with_suffix(".out")
    # Files, not pipes: nobody has to empty them while the process is being ended.
    with log.open("wb") as errors, printed.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=errors, env=env, start_new_session=True
        )
        try:
            await process.wait()
        finally:
            await asyncio.shield(_end(process))
    if process.returncode:
        raise Stop(
            f"`{' '.join(command)}` failed with code {process.returncode}:\n{_tail(printed)}\n{_tail(log)}",
            code=Exit.UNREACHABLE,
        )
    return printed.read_text("utf-8")


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


async def listens(port: int) -> bool:
    """Say whether somebody accepts connections on this loopback port."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-_LAST_LINES:]) or "  | (empty)"
